/** Finds likely causes in a run's history, with evidence and remedies. Pure. */
import type { Detector, Diagnosis, DiagnosisInput } from "./cause.ts";
import { checkFell } from "./evaluation-causes.ts";
import { metricsSwing, rewardFalls, rewardFlat, trendUnproven } from "./reward-causes.ts";
import { evaluationIsTraining, goldJumps, outOfMemory, promptsNarrow } from "./setting-causes.ts";
import { rewardTooClever } from "./shortcut-causes.ts";
import { advantageSigns, entropyCollapses, klExplodes, klTooSmall } from "./update-causes.ts";
import { criticLags, criticOverfits } from "./value-causes.ts";

/** The detectors; those for what stops a run come first. */
const detectors: readonly Detector[] = [
  outOfMemory,
  klExplodes,
  rewardFalls,
  rewardTooClever,
  checkFell,
  entropyCollapses,
  promptsNarrow,
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

/** Every cause of every symptom seen, the likeliest first; equally likely ones in the order of the detectors. Empty for a healthy run. */
export function diagnose(input: DiagnosisInput): Diagnosis[] {
  return detectors.flatMap((detect) => detect(input)).sort((a, b) => b.likelihood - a.likelihood);
}
