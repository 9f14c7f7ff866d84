/** How far the policy moved from the one that sampled: the statistics recorded for one minibatch, and for several (docs/PPO.md row 13). */
import { sum } from "./statistics.ts";

export interface UpdateStatistics {
  /** Approximate KL: mean over tokens of (r - 1) - ln r, in nats per token, never clamped (docs/PPO.md row 13). */
  readonly approxKlMean: number;
  /** Approximate KL of the sequence with the largest token mean. */
  readonly approxKlMax: number;
  /** Approximate KL without that sequence, over the tokens of the others; of all if there is only one. */
  readonly approxKlRest: number;
  readonly ratioMean: number;
  readonly ratioMax: number;
  /** Biased variance of the ratio over tokens. */
  readonly ratioVariance: number;
  /** Largest |r - 1| over tokens. */
  readonly ratioMaxDeviation: number;
  readonly clipFraction: number;
  readonly dualClipFraction: number;
  /** Mean KL(old, new) over the whole vocabulary, in nats per token; present only if the loss has it (row 9). */
  readonly fullKlMean?: number;
  /** Valid tokens that the means are taken over. */
  readonly tokens: number;
}

/** The statistics of several minibatches as if their tokens were one: means weighted by tokens, maxima over all. */
export function mergeUpdateStatistics(parts: readonly UpdateStatistics[]): UpdateStatistics {
  const filled = parts.filter((part) => part.tokens > 0);
  const tokens = sum(filled.map((part) => part.tokens));
  const weighed = (f: (part: UpdateStatistics) => number): number =>
    sum(filled.map((part) => part.tokens * f(part))) / tokens;
  const ratioMean = weighed((part) => part.ratioMean);
  return {
    approxKlMean: weighed((part) => part.approxKlMean),
    approxKlMax: largest(filled.map((part) => part.approxKlMax)),
    // Each part without its own: a sequence may be in several, as in the last epoch and in the pass after it.
    approxKlRest: weighed((part) => part.approxKlRest),
    ratioMean,
    ratioMax: largest(filled.map((part) => part.ratioMax)),
    // The variance within the parts plus that between them (Chan et al. 1979).
    ratioVariance: weighed((part) => part.ratioVariance + (part.ratioMean - ratioMean) ** 2),
    ratioMaxDeviation: largest(filled.map((part) => part.ratioMaxDeviation)),
    clipFraction: weighed((part) => part.clipFraction),
    dualClipFraction: weighed((part) => part.dualClipFraction),
    ...(filled.length > 0 &&
      filled.every((part) => part.fullKlMean !== undefined) && { fullKlMean: weighed((part) => part.fullKlMean!) }),
    tokens,
  };
}

/** The maximum without spreading a long list into arguments; NaN if the list is empty or contains NaN. */
export function largest(values: readonly number[]): number {
  return values.length === 0 ? NaN : values.reduce((a, b) => Math.max(a, b), -Infinity);
}
