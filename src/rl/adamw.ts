/** Slow references of gradient clipping and AdamW (docs/PPO.md rows 15 and 16), which the engine's graphs are tested against. */

/**
 * g * min(1, maxNorm / (norm + 1e-6)) over all gradients together, as PyTorch's `clip_grad_norm_` does. If the norm is not finite, the
 * gradients are returned unchanged and the caller skips the step.
 */
export function clipByGlobalNorm(
  gradients: readonly (readonly number[])[],
  maxNorm: number,
): { norm: number; clipped: number[][] } {
  let squares = 0;
  for (const gradient of gradients) for (const g of gradient) squares += g * g;
  const norm = Math.sqrt(squares);
  const factor = Number.isFinite(norm) ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;
  return { norm, clipped: gradients.map((gradient) => gradient.map((g) => g * factor)) };
}

export interface AdamWOptions {
  readonly weights: readonly number[];
  /** One gradient per step. */
  readonly gradients: readonly (readonly number[])[];
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Decoupled weight decay: each step first subtracts learningRate * weightDecay * w from w. */
  readonly weightDecay: number;
}

/**
 * Weights after each step of AdamW from zero moments (Loshchilov and Hutter 2019), with PyTorch's placement of epsilon: w -= rate * mHat /
 * (sqrt(vHat) + epsilon).
 */
export function adamW(options: AdamWOptions): number[][] {
  const { gradients, learningRate, beta1, beta2, epsilon, weightDecay } = options;
  const weights = [...options.weights];
  const m = weights.map(() => 0);
  const v = weights.map(() => 0);
  return gradients.map((gradient, index) => {
    const step = index + 1;
    for (let i = 0; i < weights.length; i++) {
      const g = gradient[i]!;
      m[i] = beta1 * m[i]! + (1 - beta1) * g;
      v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
      const mHat = m[i]! / (1 - beta1 ** step);
      const vHat = v[i]! / (1 - beta2 ** step);
      weights[i] = weights[i]! * (1 - learningRate * weightDecay) - (learningRate * mHat) / (Math.sqrt(vHat) + epsilon);
    }
    return [...weights];
  });
}
