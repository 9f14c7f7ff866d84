/** Conditions that must hold before anything is learned (docs/PPO.md row 21): most failures of PPO show here first. */

import { klRows, largest, nonFiniteCount, tokenCount } from "../rl/index.ts";
import type { RolloutRecord } from "../signals/index.ts";
import { TrainingError } from "../util/errors.ts";

/** Far above float32's rounding (1e-5), far below the effect of one optimizer step. */
const tolerance = 1e-3;

/**
 * Throws TrainingError if anything in the first rollout is not finite, or the policy disagrees with the reference although both have the same
 * weights.
 */
export function checkStart(record: RolloutRecord, { sameWeights }: { sameWeights: boolean }): void {
  const { logprobs, refLogprobs, entropy, values, rewards, advantages } = record;
  for (const [name, rows] of Object.entries({
    logprobs,
    refLogprobs,
    entropy: entropy ?? [],
    values: values ?? [],
    rewards,
    advantages,
  })) {
    const bad = nonFiniteCount(rows);
    if (bad > 0)
      throw new TrainingError(
        `${bad} of ${tokenCount(rows)} numbers among the ${name} of the first rollout are not finite`,
        "Nothing has been learned yet: look at the models that the run starts from, and at the reward.",
      );
  }
  if (!sameWeights) return;
  const deviation = largest(klRows(logprobs, refLogprobs, "k1").map((row) => largest(row.map(Math.abs))));
  if (deviation > tolerance)
    throw new TrainingError(
      `the policy starts as its reference, but their log-probabilities differ by up to ${deviation} nats`,
      "One of the two was not loaded as it was saved, or they are read at different temperatures.",
    );
}
