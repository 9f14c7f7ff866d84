/** From a run's history to likely causes, with their evidence and remedies. Pure. */
import type { Detector, Diagnosis, DiagnosisInput } from "./cause.ts";
import { metricsSwing, rewardFalls, rewardFlat, trendUnproven } from "./reward.ts";
import { evaluationIsTraining, goldJumps, outOfMemory, promptsNarrow } from "./setting.ts";
import { rewardTooClever } from "./shortcut.ts";
import { advantageSigns, entropyCollapses, klExplodes, klTooSmall } from "./update.ts";
import { criticLags, criticOverfits } from "./value.ts";

/** Those of what stops a run first. */
const detectors: readonly Detector[] = [
  outOfMemory,
  klExplodes,
  rewardFalls,
  rewardTooClever,
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

/** Every cause of every symptom seen, the likeliest first; of equal ones in the order above. None for a healthy run. */
export function diagnose(input: DiagnosisInput): Diagnosis[] {
  return detectors.flatMap((detect) => detect(input)).sort((a, b) => b.likelihood - a.likelihood);
}
