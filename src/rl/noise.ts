/** The gradient's noise, estimated from the norms of micro-batch gradients (docs/PPO.md row 17; McCandlish et al. 2018, appendix A). */
import { mean } from "./statistics.ts";

export interface NoiseOptions {
  /** |g_b|^2 for each of k micro-batches, k >= 2, where each g_b is a MEAN over the same number b of sequences. */
  readonly squaredNorms: readonly number[];
  /** |g_B|^2, the squared norm of the mean of the micro-batches' gradients. */
  readonly meanSquaredNorm: number;
  /** The number b of sequences in each micro-batch. */
  readonly sequencesPerMicroBatch: number;
  /** The number of entries in the gradient. */
  readonly parameters: number;
}

export interface GradientNoise {
  /** Unbiased estimate of the true gradient's squared norm; may be negative. */
  readonly signal: number;
  /** Unbiased estimate of the trace of one sequence's gradient covariance. */
  readonly noise: number;
  /** Unbiased variance of the mean gradient, averaged over its entries. */
  readonly varianceOfMean: number;
}

/**
 * |g_b|^2 of k micro-batches from the squared norms of the parts of a sum, each part being one micro-batch's gradient with the weights of the whole batch. Each g_b is k times its part, so that their mean is exactly the batch's gradient. Dividing by a micro-batch's own token count would be biased: with token means over sequences of unequal length it weighs sequences differently from the batch.
 */
export function normsOfMeans(partSquaredNorms: readonly number[]): number[] {
  return partSquaredNorms.map((squaredNorm) => squaredNorm * partSquaredNorms.length ** 2);
}

export function gradientNoise(options: NoiseOptions): GradientNoise {
  const { squaredNorms, meanSquaredNorm, sequencesPerMicroBatch: small, parameters } = options;
  const count = squaredNorms.length;
  if (count < 2) throw new RangeError(`gradient noise needs at least 2 micro-batches, not ${count}`);
  const big = count * small;
  const smallSquaredNorm = mean(squaredNorms);
  const noise = (smallSquaredNorm - meanSquaredNorm) / (1 / small - 1 / big);
  return {
    signal: (big * meanSquaredNorm - small * smallSquaredNorm) / (big - small),
    noise,
    varianceOfMean: noise / big / parameters,
  };
}

/**
 * noise / signal in sequences, each averaged over iterations BEFORE dividing; null (not resolved) if the averaged signal is not positive.
 */
export function noiseScale(history: readonly Pick<GradientNoise, "signal" | "noise">[]): number | null {
  const signal = mean(history.map((entry) => entry.signal));
  return signal > 0 ? mean(history.map((entry) => entry.noise)) / signal : null;
}
