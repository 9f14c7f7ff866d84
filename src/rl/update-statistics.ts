/** How far the policy moved from the one that sampled: what is recorded of a minibatch, and of several (PPO.md row 13). */
import { sum } from "./statistics.ts";

export interface UpdateStatistics {
  /** Mean over tokens of (r - 1) - ln r, in nats per token, never clamped: PPO.md row 13. */
  readonly approxKlMean: number;
  /** The largest per-sequence token mean of the same. */
  readonly approxKlMax: number;
  readonly ratioMean: number;
  readonly ratioMax: number;
  /** Biased. */
  readonly ratioVariance: number;
  /** Largest |r - 1|. */
  readonly ratioMaxDeviation: number;
  readonly clipFraction: number;
  readonly dualClipFraction: number;
  /** Mean KL(old, new) over the whole vocabulary, in nats per token; only where the loss has it (row 9). */
  readonly fullKlMean?: number;
  /** Valid tokens that the means are over. */
  readonly tokens: number;
}

/** The statistics of several minibatches as if their tokens were one: means weighed by tokens, maxima over all. */
export function mergeUpdateStatistics(parts: readonly UpdateStatistics[]): UpdateStatistics {
  const filled = parts.filter((part) => part.tokens > 0);
  const tokens = sum(filled.map((part) => part.tokens));
  const weighed = (f: (part: UpdateStatistics) => number): number =>
    sum(filled.map((part) => part.tokens * f(part))) / tokens;
  const ratioMean = weighed((part) => part.ratioMean);
  return {
    approxKlMean: weighed((part) => part.approxKlMean),
    approxKlMax: largest(filled.map((part) => part.approxKlMax)),
    ratioMean,
    ratioMax: largest(filled.map((part) => part.ratioMax)),
    // Within the parts and between them (Chan et al. 1979).
    ratioVariance: weighed((part) => part.ratioVariance + (part.ratioMean - ratioMean) ** 2),
    ratioMaxDeviation: largest(filled.map((part) => part.ratioMaxDeviation)),
    clipFraction: weighed((part) => part.clipFraction),
    dualClipFraction: weighed((part) => part.dualClipFraction),
    ...(filled.length > 0 &&
      filled.every((part) => part.fullKlMean !== undefined) && { fullKlMean: weighed((part) => part.fullKlMean!) }),
    tokens,
  };
}

/** The maximum without a spread over a long list; NaN where the list is empty or holds one. */
export function largest(values: readonly number[]): number {
  return values.length === 0 ? NaN : values.reduce((a, b) => Math.max(a, b), -Infinity);
}
