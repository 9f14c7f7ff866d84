/** From a run's history to likely causes, with their evidence and remedies. Pure. */
import type { Detector, Diagnosis, DiagnosisInput } from "./cause.ts";
import { metricsSwing, rewardFalls, rewardFlat, trendUnproven } from "./reward-causes.ts";
import { evaluationIsTraining, goldJumps, outOfMemory, promptsNarrow } from "./setting-causes.ts";
import { rewardTooClever } from "./shortcut-causes.ts";
import { advantageSigns, entropyCollapses, klExplodes, klTooSmall } from "./update-causes.ts";
import { criticLags, criticOverfits } from "./value-causes.ts";

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
