/** Finds likely causes in a run's history, with evidence and remedies. Pure. */
import type { Detector, Diagnosis, DiagnosisInput } from "./cause.ts";
import type { CauseId } from "./causes.ts";
import { checkFell } from "./evaluation-causes.ts";
import { notItsOwn } from "./program-causes.ts";
import { metricsSwing, rewardFalls, rewardFlat, trendUnproven } from "./reward-causes.ts";
import { responsesTruncated, rewardMoves, rewardSuspect } from "./reward-suspects.ts";
import { evaluationIsTraining, goldJumps, outOfMemory, promptsNarrow } from "./setting-causes.ts";
import { judgedBySettings } from "./setting-suspects.ts";
import { goldFalls, rewardTooClever } from "./shortcut-causes.ts";
import { advantageSigns, entropyCollapses, klExplodes, klTooSmall } from "./update-causes.ts";
import { criticLags, criticOverfits } from "./value-causes.ts";

/** The detectors; those for what stops a run, and for what was wrong before it learned anything, come first. */
const detectors: readonly Detector[] = [
  outOfMemory,
  notItsOwn,
  responsesTruncated,
  rewardSuspect,
  rewardMoves,
  promptsNarrow,
  klExplodes,
  rewardFalls,
  goldFalls,
  rewardTooClever,
  checkFell,
  entropyCollapses,
  goldJumps,
  rewardFlat,
  criticLags,
  criticOverfits,
  advantageSigns,
  klTooSmall,
  metricsSwing,
  evaluationIsTraining,
  trendUnproven,
];

/** Causes that fit almost any trouble: they stand behind equally likely ones that say more. */
const catchAll: Partial<Record<CauseId, number>> = {
  evaluation_is_training: 1,
  evaluation_near_training: 1,
  reward_leak: 2,
  reward_outside_training: 2,
  reward_wrong: 3,
  reward_shortcut: 3,
  judged_early: 4,
};

/**
 * Every cause of every symptom seen, the likeliest first. Of equally likely ones those that fit almost any trouble stand last; of the rest those that
 * began first, then those whose setting is furthest outside its band, then in the order of the detectors. None is likely in a healthy run.
 */
export function diagnose(input: DiagnosisInput): Diagnosis[] {
  const found = detectors.flatMap((detect) => detect(input));
  return judgedBySettings(found, input)
    .sort(
      (a, b) =>
        b.likelihood - a.likelihood ||
        (catchAll[a.id] ?? 0) - (catchAll[b.id] ?? 0) ||
        (a.since ?? 0) - (b.since ?? 0) ||
        b.distance - a.distance,
    )
    .map(({ distance: _, ...diagnosis }) => diagnosis);
}
