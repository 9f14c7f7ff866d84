/**
 * The optimizer on plain arrays, in place: norms of gradients, AdamW (Loshchilov and Hutter 2019; epsilon as in PyTorch: docs/PPO.md row 16) and the
 * slow average of a model. In JavaScript, because ONNX Runtime's binding copies every array that a graph writes. Sums and intermediate results are in
 * float64; one thread, so the bits do not depend on the number of threads.
 */

/** The sum of squares and the sum of all entries. */
export function gradientSums(gradient: Float32Array): { squares: number; total: number } {
  // Four running sums each, since one would wait for its previous addition.
  let [s0, s1, s2, s3, t0, t1, t2, t3] = [0, 0, 0, 0, 0, 0, 0, 0];
  const even = gradient.length - (gradient.length % 4);
  for (let i = 0; i < even; i += 4) {
    const g0 = gradient[i]!;
    const g1 = gradient[i + 1]!;
    const g2 = gradient[i + 2]!;
    const g3 = gradient[i + 3]!;
    s0 += g0 * g0;
    s1 += g1 * g1;
    s2 += g2 * g2;
    s3 += g3 * g3;
    t0 += g0;
    t1 += g1;
    t2 += g2;
    t3 += g3;
  }
  for (let i = even; i < gradient.length; i++) {
    const g = gradient[i]!;
    s0 += g * g;
    t0 += g;
  }
  return { squares: s0 + s1 + (s2 + s3), total: t0 + t1 + (t2 + t3) };
}

/** A parameter's weights, Adam's moments and gradient, all of one length. */
export interface AdamWArrays {
  readonly weights: Float32Array;
  readonly m: Float32Array;
  readonly v: Float32Array;
  readonly gradient: Float32Array;
}

export interface AdamWStep {
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Number of this step, from 1: t of the bias correction. */
  readonly step: number;
  /** Factor on the gradient, from clipping. */
  readonly clip: number;
}

/**
 * One step, in place: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, w = (1 - rate decay) w - rate mHat / (sqrt(vHat) + eps), where mHat = m / (1 -
 * b1^t) and vHat = v / (1 - b2^t). The gradient is left as it is.
 */
export function adamWStep({ weights, m, v, gradient }: AdamWArrays, options: AdamWStep): void {
  const { learningRate, weightDecay, beta1, beta2, step, clip } = options;
  const correction = Math.sqrt(1 - beta2 ** step);
  const keep = 1 - learningRate * weightDecay;
  const gradToM = (1 - beta1) * clip;
  const gradToV = (1 - beta2) * clip * clip;
  // Rate and epsilon are scaled by sqrt(1 - b2^t): PyTorch's formula with one division fewer.
  const rate = (learningRate * correction) / (1 - beta1 ** step);
  const epsilon = options.epsilon * correction;
  for (let i = 0; i < weights.length; i++) {
    const g = gradient[i]!;
    const m1 = beta1 * m[i]! + gradToM * g;
    const v1 = beta2 * v[i]! + gradToV * (g * g);
    m[i] = m1;
    v[i] = v1;
    weights[i] = keep * weights[i]! - (rate * m1) / (Math.sqrt(v1) + epsilon);
  }
}

/** target = decay target + (1 - decay) source, in place. */
export function average(target: Float32Array, source: Float32Array, decay: number): void {
  for (let i = 0; i < target.length; i++) target[i] = decay * target[i]! + (1 - decay) * source[i]!;
}
