/** The number of tokens in one pass of an engine, bounded by the cache and, for a large vocabulary, by memory. */

/**
 * Padded tokens of a pass: enough to keep matrix products busy, few enough for their activations to stay in the cache.
 * Measured on CPUs (docs/performance.md).
 */
export const mostTokens = 2048;

/**
 * Logits (tokens times vocabulary) in a pass. The peak memory is six to seven arrays of that size, measured with the policy loss at vocabularies of
 * 50,257 and 152,064: 128 MB per array keeps it below 1 GB, while 2,048 tokens take 2.5 and 8 GB.
 */
export const mostLogits = 2 ** 25;

/** Padded tokens in a pass whose language head has this vocabulary; null without a language head. A longer sequence is a pass of its own. */
export function tokensOfPass(vocabularySize: number | null): number {
  return vocabularySize === null
    ? mostTokens
    : Math.max(1, Math.min(mostTokens, Math.floor(mostLogits / vocabularySize)));
}
