/** How much of a call goes through an engine at once, bounded by the cache and by memory. */

/**
 * Padded tokens of a pass: enough to keep matrix products busy, few enough for their activations to stay in the cache.
 * Measured on CPUs (docs/performance.md).
 */
export const mostTokens = 2048;

/**
 * What a pass costs beside its tokens, in tokens: it reads all weights and adds to all gradients. Of a policy loss with gradients, the seconds that do not
 * grow with the number of tokens are those of 65 tokens on one thread and 105 on two at 3.3 million parameters, 93 and 143 at 124 million
 * (docs/performance.md).
 */
export const tokensOfOnePass = 100;

/** What a place of padding costs the embedded engine, in tokens: only attention reads it. */
export const paddingCost = 0.25;

/**
 * The share of the machine's memory that one pass may take: a quarter. Most of the rest is weights, gradients and Adam's moments of policy and critic, and
 * what other passes left with the runtime.
 */
export const shareOfPass = 1 / 4;

/** Logits of one step of sampling, which has an array for all rows and the whole vocabulary: 128 MB of them at most. */
const mostLogits = 2 ** 25;

/** Rows that sample at once from a vocabulary. */
export function rowsOfSampling(vocabularySize: number): number {
  return Math.max(1, Math.floor(mostLogits / vocabularySize));
}
