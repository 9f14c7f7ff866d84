/** The detector of numbers that do not belong together: a bug, or a model that changed under the run. */
import { type Candidate, type Detector, diagnoses } from "./cause.ts";
import { short, valuesOf } from "./diagnosis-history.ts";

/** Ratios before any step: docs/PPO.md row 21. */
const ratioTolerance = 1e-3;
/** Nats a sequence: a mean this negative is not chance (rules/default.yaml). */
const negativeKl = -1;

/** Detects a reference whose fingerprint changed, ratios other than 1 before any step, a negative KL to the reference, and numbers that are not finite. */
export const notItsOwn: Detector = ({ history }) => {
  const prints = (history["reference/fingerprint"] ?? []).filter(({ value }) => Number.isFinite(value));
  const changed = prints.find(({ value }) => value !== prints[0]!.value);
  const stale = (history["ratio/first_max_deviation"] ?? []).find(({ value }) => value > ratioTolerance);
  const negative = (history["kl/ref_k1_sequence"] ?? []).find(({ value }) => value < negativeKl);
  const bad = (history["gradient/nonfinite_count"] ?? []).find(({ value }) => value > 0);
  const found: [string, Candidate][] = [];
  if (changed !== undefined)
    found.push([
      `the reference's fingerprint changed at iteration ${changed.iteration}`,
      {
        id: "reference_changed",
        evidence: "its log-probabilities on fixed probes differ from the first, and it is frozen",
        remedy: "look for what writes into the reference's folder, or shares its memory; then start again",
        since: changed.iteration,
      },
    ]);
  if (stale !== undefined)
    found.push([
      `before the first step of iteration ${stale.iteration} ratios are off 1 by up to ${short(stale.value)}`,
      {
        id: "stale_rollouts",
        evidence: "old and new log-probabilities come from different policies, temperatures or engines",
        remedy: "sample with the policy that learns; docs/PPO.md row 21",
        since: stale.iteration,
      },
    ]);
  if (negative !== undefined)
    found.push([
      `KL to the reference is ${short(negative.value)} nats a sequence at iteration ${negative.iteration}`,
      {
        id: "sampling_truncated",
        evidence:
          "a mean this negative is not chance: tokens are sampled from a different distribution than the one that is scored",
        remedy: "ppo.topK=0 ppo.topP=1, and one temperature for sampling and scoring",
        since: negative.iteration,
      },
    ]);
  if (bad !== undefined)
    found.push([
      `${valuesOf(history, "gradient/nonfinite_count").filter((count) => count > 0).length} iterations have gradients that are not finite`,
      {
        id: "nonfinite_numbers",
        evidence: `first in iteration ${bad.iteration}`,
        remedy: "look at the dumped minibatch; lower the rate, or compute in 32 bits",
        since: bad.iteration,
      },
    ]);
  return found.flatMap(([seen, candidate]) => diagnoses("not_its_own", seen, [candidate]));
};
