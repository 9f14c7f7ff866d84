/** The gradient's noise from the norms of micro-batch gradients (PPO.md row 17; McCandlish et al. 2018, appendix A). */
import { mean } from "./statistics.ts";

export interface NoiseOptions {
  /** |g_b|^2 of each of k micro-batches, k >= 2, each g_b a MEAN over the same number b of sequences. */
  readonly squaredNorms: readonly number[];
  /** |g_B|^2 of their mean. */
  readonly meanSquaredNorm: number;
  /** b. */
  readonly sequencesPerMicroBatch: number;
  /** Entries of the gradient. */
  readonly parameters: number;
}

export interface GradientNoise {
  /** Unbiased estimate of the true gradient's squared norm; may come out negative. */
  readonly signal: number;
  /** Unbiased estimate of the trace of one sequence's gradient covariance. */
  readonly noise: number;
  /** Unbiased variance of the mean gradient, averaged over its entries. */
  readonly varianceOfMean: number;
}

/**
 * |g_b|^2 of k micro-batches from the squared norms of the parts of a sum: of each micro-batch's gradient with the weights of the whole
 * batch. Each g_b is k times its part, so that their mean is exactly the batch's gradient. With token means over sequences of unequal
 * length a micro-batch's own token count would weigh its sequences otherwise than the batch does, which is biased.
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
 * noise / signal in sequences, each averaged over iterations BEFORE dividing; null where the averaged signal is not positive:
 * not resolved.
 */
export function noiseScale(history: readonly Pick<GradientNoise, "signal" | "noise">[]): number | null {
  const signal = mean(history.map((entry) => entry.signal));
  return signal > 0 ? mean(history.map((entry) => entry.noise)) / signal : null;
}
