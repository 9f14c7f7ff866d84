/**
 * The optimizer on plain arrays, in place: norms of gradients, AdamW (Loshchilov and Hutter 2019; epsilon as in PyTorch: docs/PPO.md row 16) and the
 * slow average of a model. Not a graph, because ONNX Runtime's binding copies every array that a graph writes. Sums are in float64, AdamW's
 * step is in float32 as in PyTorch; one thread, so the bits do not depend on the number of threads. The arrays pass through the kernel's blocks.
 */
import { adamWKernel, blockSize } from "./adamw-kernel.ts";

/** The sum of squares and the sum of all entries. */
export function gradientSums(gradient: Float32Array): { squares: number; total: number } {
  const { gradient: block, sums, addSums } = adamWKernel();
  sums.fill(0);
  // Four running sums each, since one would wait for its previous addition.
  const even = gradient.length - (gradient.length % 4);
  for (let at = 0; at < even; at += blockSize) {
    const end = Math.min(at + blockSize, even);
    block.set(gradient.subarray(at, end));
    addSums(end - at);
  }
  let [s0, s1, s2, s3, t0, t1, t2, t3] = sums as unknown as [...Four, ...Four];
  for (let i = even; i < gradient.length; i++) {
    const g = gradient[i]!;
    s0 += g * g;
    t0 += g;
  }
  return { squares: s0 + s1 + (s2 + s3), total: t0 + t1 + (t2 + t3) };
}

type Four = [number, number, number, number];

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
 * One step, in place: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, w = w - (rate decay w + rate mHat / (sqrt(vHat) + eps)), where mHat = m / (1 -
 * b1^t) and vHat = v / (1 - b2^t). The gradient is left as it is.
 */
export function adamWStep({ weights, m, v, gradient }: AdamWArrays, options: AdamWStep): void {
  const { learningRate, weightDecay, beta1, beta2, step, clip } = options;
  const correction = Math.sqrt(1 - beta2 ** step);
  // Subtracted as one sum: 1 - rate decay would be 1 in float32 below 6e-8.
  const decay = learningRate * weightDecay;
  const gradToM = (1 - beta1) * clip;
  const gradToV = (1 - beta2) * clip * clip;
  // Rate and epsilon are scaled by sqrt(1 - b2^t): PyTorch's formula with one division fewer.
  const rate = (learningRate * correction) / (1 - beta1 ** step);
  const epsilon = options.epsilon * correction;
  const kernel = adamWKernel();
  for (let at = 0; at < weights.length; at += blockSize) {
    const end = Math.min(at + blockSize, weights.length);
    kernel.weights.set(weights.subarray(at, end));
    kernel.m.set(m.subarray(at, end));
    kernel.v.set(v.subarray(at, end));
    kernel.gradient.set(gradient.subarray(at, end));
    kernel.step(end - at, beta1, beta2, gradToM, gradToV, decay, rate, epsilon);
    weights.set(kernel.weights.subarray(0, end - at), at);
    m.set(kernel.m.subarray(0, end - at), at);
    v.set(kernel.v.subarray(0, end - at), at);
  }
}

/** target = decay target + (1 - decay) source, in place. */
export function average(target: Float32Array, source: Float32Array, decay: number): void {
  for (let i = 0; i < target.length; i++) target[i] = decay * target[i]! + (1 - decay) * source[i]!;
}
