/** Signals of the policy's behaviour and its rewards: reward, response, safety. */
import { distinctN, distinctShare, firstEqual, repeatedNgramShare } from "../rl/diversity.ts";
import { standardError } from "../rl/interval.ts";
import { correlation, mean, quantile, slope, standardDeviation, sum, variance } from "../rl/statistics.ts";
import { validRows } from "../rl/token-rows.ts";
import { goldSignals } from "./gold-signals.ts";
import { type RolloutView, slopeWindow } from "./iteration-record.ts";
import type { Signals } from "./signal-values.ts";

export function reward({ rollout, settings, history }: RolloutView): Signals {
  const { scores, components, responses, rewards, mask, learned = [], verdicts = [] } = rollout;
  const scoreMean = mean(scores);
  const recent = [...(history?.scoreMeans ?? []), scoreMean].slice(-slopeWindow);
  const lengthCorrelation = correlation(
    scores,
    responses.map((tokens) => tokens.length),
  );
  return {
    ...spread("reward/score", scores),
    "reward/score_se": standardError(
      scores,
      // Answers to one prompt are alike, so they form one cluster.
      firstEqual(rollout.prompts),
    ),
    ...(recent.length > 1 && { "reward/score_slope": slope(recent) }),
    "reward/score_clipped_share": mean(
      scores.map((score) => Number(Math.abs(score) > (settings.scoreClip ?? Infinity))),
    ),
    "reward/total_sequence": mean(validRows(rewards, mask).map(sum)),
    "reward/length_correlation": lengthCorrelation,
    "reward/length_correlation_se": correlationError(lengthCorrelation, scores.length),
    ...goldSignals(scores, verdicts),
    ...(learned.length > 1 && { "reward/disagreement": disagreement(learned.map((name) => components[name]!)) }),
    ...Object.assign(
      {},
      ...Object.entries(components).map(([name, values]) => spread(`reward/component/${name}`, values)),
    ),
  };
}

/** Standard error of Pearson's correlation r of n pairs: (1 - r^2) / sqrt(n - 2). */
function correlationError(r: number, n: number): number {
  return (1 - r ** 2) / Math.sqrt(n - 2);
}

/** Standard deviation of the members' scores of each response, averaged over the responses. */
function disagreement(members: readonly (readonly number[])[]): number {
  return mean(members[0]!.map((_, b) => standardDeviation(members.map((scores) => scores[b]!))));
}

function spread(prefix: string, values: readonly number[]): Signals {
  return {
    [`${prefix}_mean`]: mean(values),
    [`${prefix}_std`]: standardDeviation(values),
    [`${prefix}_p5`]: quantile(values, 0.05),
    [`${prefix}_p50`]: quantile(values, 0.5),
    [`${prefix}_p95`]: quantile(values, 0.95),
  };
}

export function response({ rollout }: RolloutView): Signals {
  const { prompts, responses, stopReasons, endsWithEos } = rollout;
  const lengths = responses.map((tokens) => tokens.length);
  return {
    "response/length_mean": mean(lengths),
    "response/length_variance": variance(lengths),
    ...lengthVarianceByPromptLength(prompts, lengths),
    "response/truncated_share": mean(stopReasons.map((reason) => Number(reason === "length"))),
    "response/eos_share": mean(endsWithEos.map(Number)),
    "response/repeated_4gram_share": mean(responses.map((tokens) => repeatedNgramShare(tokens, 4))),
    "response/distinct_2": distinctN(responses, 2),
    "response/distinct_prompts_share": distinctShare(prompts),
  };
}

/** Variance of response lengths by prompt length. Buckets end at powers of two: bucket 16 holds prompts of 9 to 16 tokens. */
function lengthVarianceByPromptLength(prompts: readonly (readonly number[])[], lengths: readonly number[]): Signals {
  const buckets = new Map<number, number[]>();
  prompts.forEach((prompt, b) => {
    const bucket = 2 ** Math.ceil(Math.log2(Math.max(1, prompt.length)));
    buckets.set(bucket, [...(buckets.get(bucket) ?? []), lengths[b]!]);
  });
  return Object.fromEntries(
    [...buckets]
      .sort(([a], [b]) => a - b)
      .map(([bucket, list]) => [`response/length_variance_prompt_${bucket}`, variance(list)]),
  );
}

/** A difference of scores in standard deviations, and in its own standard errors: the score of one unsafe response says little. */
function differenceOf(
  difference: number,
  { scores, unsafe }: { readonly scores: readonly number[]; readonly unsafe: number },
): Signals {
  const deviations = difference / standardDeviation(scores);
  return {
    "safety/score_difference": deviations,
    "safety/score_difference_errors": deviations / Math.sqrt(1 / unsafe + 1 / (scores.length - unsafe)),
  };
}

/**
 * Standard error of a share: that of the clusters, answers to one prompt being alike, and no less than Agresti and Coull's (1998), which 0 of n does not
 * turn into certainty.
 */
function shareError(flags: readonly number[], prompts: readonly (readonly number[])[]): number {
  const smoothed = (sum(flags) + 2) / (flags.length + 4);
  const least = Math.sqrt((smoothed * (1 - smoothed)) / (flags.length + 4));
  const clustered = standardError(flags, firstEqual(prompts));
  return clustered > least ? clustered : least;
}

export function safety({ rollout }: RolloutView): Signals {
  const categories = Object.entries(rollout.safety);
  const any = rollout.responses.map((_, b) => Number(categories.some(([, trips]) => trips[b])));
  const { scores } = rollout;
  const ofAny = (tripped: number) => mean(scores.filter((_, b) => any[b] === tripped));
  const share = mean(any);
  return {
    "safety/share": share,
    "safety/share_se": shareError(any, rollout.prompts),
    ...(share > 0 && share < 1 && differenceOf(ofAny(1) - ofAny(0), { scores, unsafe: sum(any) })),
    ...Object.fromEntries(categories.map(([category, trips]) => [`safety/${category}_share`, mean(trips.map(Number))])),
  };
}
