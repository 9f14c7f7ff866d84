/** Signals of the optimisation: update, reference, exploration, gradient, advantage, value. */

import { repeatAgreement } from "../rl/diversity.ts";
import { explainedVariance } from "../rl/explained-variance.ts";
import { fingerprint } from "../rl/fingerprint.ts";
import { k3, klPerSequence, klSummary } from "../rl/kl.ts";
import { finalScore } from "../rl/rewards.ts";
import { nonFiniteCount, tokenDeviation, tokenMean } from "../rl/row-statistics.ts";
import { signFlipRate } from "../rl/signs.ts";
import { mean, slope, standardDeviation, sum } from "../rl/statistics.ts";
import { isValid, type Rows, validRows, validValues } from "../rl/token-rows.ts";
import { mergeUpdateStatistics } from "../rl/update-statistics.ts";
import { type IterationRecord, type RolloutView, slopeWindow } from "./iteration-record.ts";
import { layerSignals } from "./layer-signals.ts";
import type { Signals } from "./signal-values.ts";

export function update({ minibatches, endedBy, after, firstRatioDeviation }: IterationRecord): Signals {
  const measured = [...minibatches, ...(endedBy ? [endedBy] : [])];
  const lastEpoch = measured.at(-1)?.epoch;
  const inLastEpoch = measured.filter(({ epoch }) => epoch === lastEpoch);
  // Before the first step of all nothing has moved: that 0 says nothing, and would hide what one step did.
  const moved = inLastEpoch.filter((one) => one !== measured[0]);
  const parts = [...moved.map(({ statistics }) => statistics), ...(after ? [after] : [])];
  const reached = mergeUpdateStatistics(parts.length > 0 ? parts : inLastEpoch.map(({ statistics }) => statistics));
  const { fullKlMean } = mergeUpdateStatistics(inLastEpoch.map(({ statistics }) => statistics));
  const { ratioMean, ratioVariance, tokens } = after ?? reached;
  const all = mergeUpdateStatistics(measured.map(({ statistics }) => statistics));
  return {
    "kl/old_new_k3_token": reached.approxKlMean,
    "kl/old_new_k3_token_max": reached.approxKlMax,
    "kl/old_new_k3_token_rest": reached.approxKlRest,
    ...(after && { "kl/last_step_k3_token": after.approxKlMean }),
    ...(fullKlMean !== undefined && { "kl/old_new_full_token": fullKlMean }),
    "ratio/mean": reached.ratioMean,
    // 0/0 without any movement: NaN, which matches no rule.
    "ratio/mean_standard_errors": (ratioMean - 1) / Math.sqrt(ratioVariance / tokens),
    "ratio/max": reached.ratioMax,
    "ratio/variance": reached.ratioVariance,
    "ratio/first_max_deviation": firstRatioDeviation,
    "clip/fraction": all.clipFraction,
    "clip/dual_fraction": all.dualClipFraction,
    "policy/loss": mean(minibatches.map((minibatch) => minibatch.policyLoss)),
    "update/epochs": new Set(measured.map(({ epoch }) => epoch)).size,
    "update/ended_early": Number(endedBy !== undefined),
    "update/steps": minibatches.length,
    "update/steps_skipped": minibatches.filter((minibatch) => minibatch.skipped).length,
    "update/minibatches_masked": minibatches.filter((minibatch) => minibatch.masked).length,
    "update/masked_share": mean(minibatches.map((minibatch) => Number(minibatch.masked))),
  };
}

export function reference({ rollout, settings }: RolloutView): Signals {
  const { logprobs, refLogprobs, mask, scores, endsWithEos, probeRefLogprobs } = rollout;
  const k1 = klSummary(logprobs, refLogprobs, "k1", mask);
  const k3 = klSummary(logprobs, refLogprobs, "k3", mask);
  const coefInReward = settings.klIn === "reward" ? settings.klCoef : 0;
  const penalty = sum(k1.sums_B.map((kl) => Math.abs(coefInReward * kl)));
  const score = sum(scores.map((x, b) => Math.abs(finalScore(x, endsWithEos[b]!, settings))));
  return {
    "kl/ref_k1_token": k1.perToken,
    "kl/ref_k3_token": k3.perToken,
    "kl/ref_k1_sequence": k1.perSequence,
    "kl/ref_k3_sequence": k3.perSequence,
    "kl/coef": settings.klCoef,
    "reward/kl_penalty_share": penalty / (penalty + score),
    "reward/ref_logprob_sequence": klPerSequence(refLogprobs, mask),
    ...(probeRefLogprobs && { "reference/fingerprint": fingerprint(probeRefLogprobs) }),
  };
}

export function exploration({ rollout, history }: RolloutView): Signals {
  const agreement = repeatAgreement(rollout.prompts, rollout.responses);
  const repeated: Signals = Number.isNaN(agreement) ? {} : { "response/repeat_agreement": agreement };
  const { logprobs, entropy, mask } = rollout;
  // The mean of -log p over tokens that the policy sampled estimates its entropy without bias; its spread is not that of the entropies.
  const entropyMean = entropy === undefined ? -tokenMean(logprobs, mask) : tokenMean(entropy, mask);
  const recent = [...(history?.entropyMeans ?? []), entropyMean].slice(-slopeWindow);
  return {
    "entropy/mean": entropyMean,
    ...(entropy !== undefined && { "entropy/std": tokenDeviation(entropy, mask) }),
    "entropy/ratio_to_first": entropyMean / (history?.firstEntropyMean ?? entropyMean),
    ...(recent.length > 1 && { "entropy/slope": slope(recent) }),
    ...repeated,
  };
}

/** How far the sampler's log-probabilities are from the trainer's, on the sampled tokens: none if the responses were not sampled by this engine. */
export function sampler({ rollout }: RolloutView): Signals {
  const { samplerLogprobs, logprobs, mask } = rollout;
  if (samplerLogprobs === undefined) return {};
  let [count, total, most, kl] = [0, 0, 0, 0];
  for (const [b, row] of samplerLogprobs.entries())
    for (let t = 0; t < row.length; t++) {
      if (!isValid(mask, b, t)) continue;
      const gap = row[t]! - logprobs[b]![t]!;
      if (Number.isNaN(gap)) return {};
      count++;
      total += Math.abs(gap);
      most = Math.max(most, Math.abs(gap));
      kl += k3(gap);
    }
  return count === 0
    ? {}
    : { "sampler/gap_mean": total / count, "sampler/gap_max": most, "sampler/kl_k3_token": kl / count };
}

export function gradient({ minibatches, settings }: IterationRecord): Signals {
  const policyNorms = minibatches.map((minibatch) => minibatch.policyGradNorm).filter((norm) => norm !== null);
  const criticNorms = minibatches.map((minibatch) => minibatch.criticGradNorm).filter((norm) => norm !== null);
  const layers = (name: "policyLayers" | "criticLayers") =>
    minibatches.map((minibatch) => minibatch[name]).filter((one) => one !== undefined);
  const norms = (name: "policy" | "critic", values: readonly number[]): Signals =>
    values.length === 0
      ? {}
      : {
          [`gradient/${name}_norm`]: mean(values),
          [`gradient/${name}_norm_max`]: Math.max(...values),
          [`gradient/${name}_clipped_share`]: mean(
            values.map((norm) => Number(Number.isFinite(norm) && norm > (settings.maxGradNorm ?? Infinity))),
          ),
        };
  return {
    ...norms("policy", policyNorms),
    ...norms("critic", criticNorms),
    ...layerSignals("policy", layers("policyLayers")),
    ...layerSignals("critic", layers("criticLayers")),
    "gradient/nonfinite_count": [...policyNorms, ...criticNorms].filter((norm) => !Number.isFinite(norm)).length,
  };
}

export function advantage({ rollout }: RolloutView): Signals {
  const { advantagesRaw, advantages, mask } = rollout;
  const flips = signFlipRate(advantages, mask);
  return {
    "advantage/abs_mean_raw": tokenMean(advantagesRaw, mask, { absolute: true }),
    "advantage/abs_mean": tokenMean(advantages, mask, { absolute: true }),
    "advantage/std_raw": tokenDeviation(advantagesRaw, mask, { unbiased: true }),
    "advantage/sign_flip_rate": flips.rate,
    "advantage/sign_flip_chance": flips.chance,
    "advantage/sign_flip_to_chance": flips.rate / flips.chance,
    "advantage/strongly_negative_share": stronglyNegativeShare(validRows(advantages, mask)),
  };
}

/** Share of sequences whose mean advantage, as the loss sees it, is below -1; NaN if there are no sequences. */
export function stronglyNegativeShare(advantages: Rows): number {
  return mean(advantages.filter((row) => row.length > 0).map((row) => Number(mean(row) < -1)));
}

/** Share of a normal distribution below -1. */
const normalBelow = 0.1587;

/** `stronglyNegativeShare` above that of normal advantages, in standard errors of as many sequences; NaN if there are none. */
export function stronglyNegativeErrors(advantages: Rows): number {
  const n = advantages.filter((row) => row.length > 0).length;
  return (stronglyNegativeShare(advantages) - normalBelow) / Math.sqrt((normalBelow * (1 - normalBelow)) / n);
}

/** None without a critic. */
export function value({ rollout, minibatches, settings }: IterationRecord): Signals {
  if (rollout.values === undefined || rollout.returns === undefined) return {};
  const returns = validValues(rollout.returns, rollout.mask);
  const values = validValues(rollout.values, rollout.mask);
  const { explainedVariance: explained, withBias } = explainedVariance(returns, values);
  const loss = mean(minibatches.map((minibatch) => minibatch.valueLoss!));
  const tokens = sum(minibatches.map((minibatch) => minibatch.statistics.tokens));
  const clipped = sum(minibatches.map((minibatch) => minibatch.valueClipFraction! * minibatch.statistics.tokens));
  // The first is measured before anything was learned from this rollout.
  const changes = minibatches.slice(1).flatMap(({ valueChange }) => (valueChange === undefined ? [] : [valueChange]));
  return {
    "value/loss": loss,
    "value/loss_to_policy_loss": loss / Math.abs(mean(minibatches.map((minibatch) => minibatch.policyLoss))),
    "value/explained_variance": explained,
    "value/explained_variance_with_bias": withBias,
    "value/clip_fraction": clipped / tokens,
    ...(changes.length > 0 && { "value/change_to_returns": Math.max(...changes) / standardDeviation(returns) }),
    "value/mean": mean(values),
    "value/return_mean": mean(returns),
    ...(settings.valueClip && {
      "value/offset_to_clip": Math.abs(mean(returns) - mean(values)) / settings.valueClip,
    }),
  };
}

/** Rollout signals that are part of the health checks: whether everything is finite (docs/PPO.md row 21). */
export function rollout({ rollout }: RolloutView): Signals {
  const { logprobs, refLogprobs, entropy, values, returns, rewards, advantagesRaw, advantages, mask, scores } = rollout;
  const tokenNumbers = [
    logprobs,
    refLogprobs,
    entropy ?? [],
    values ?? [],
    returns ?? [],
    rewards,
    advantagesRaw,
    advantages,
  ];
  const notFinite = (x: number) => !Number.isFinite(x);
  const ofTokens = tokenNumbers.map((rows) => nonFiniteCount(rows, mask));
  const ofSequences = [scores, ...Object.values(rollout.components)].map((list) => list.filter(notFinite).length);
  return { "rollout/nonfinite_count": sum([...ofTokens, ...ofSequences]) };
}
