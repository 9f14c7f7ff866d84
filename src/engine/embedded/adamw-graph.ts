/** AdamW as one graph over all parameters (Loshchilov and Hutter 2019; epsilon as in PyTorch: docs/PPO.md row 16). */
import type { ParameterSpec } from "../../models/parameters.ts";
import { input, type Tensor } from "../../tensor/graph.ts";
import { add, div, matmul, mul, reshape, slice, sqrt, sub, sum } from "../../tensor/ops.ts";

/**
 * Inputs: for each parameter `w.<name>`, `m.<name>`, `v.<name>` and `sum.<name>` (the gradient); the scalars below; and by parameter the vectors
 * `steps` (rate * sqrt(1 - beta2^t) / (1 - beta1^t)) and `keeps` (1 - rate * decay). Outputs: `w.`, `m.` and `v.<name>`, which may be written over
 * the inputs: every reader of an input comes before.
 *
 * w' = keep w - step m' / (sqrt(v') + eps), with step and eps scaled by sqrt(1 - beta2^t): PyTorch's formula with one division fewer.
 */
export function adamGraph(specs: readonly ParameterSpec[]): Record<string, Tensor> {
  const scalar = (name: string) => input(name, []);
  const beta1 = scalar("beta1");
  const beta2 = scalar("beta2");
  // The clipping factor is folded into the gradient's weight in each moment.
  const gradToM = scalar("gradToM");
  const gradToV = scalar("gradToV");
  const epsilon = scalar("epsilon");
  const steps = input("steps", [specs.length]);
  const keeps = input("keeps", [specs.length]);
  const results: Record<string, Tensor> = {};
  for (const [i, { name, shape }] of specs.entries()) {
    const size = shape.reduce((a, b) => a * b, 1);
    const [w, m, v, g] = ["w", "m", "v", "sum"].map((kind) => input(`${kind}.${name}`, [size])) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const m2 = add(mul(m, beta1), mul(g, gradToM));
    const v2 = add(mul(v, beta2), mul(mul(g, g), gradToV));
    const step = mul(div(m2, add(sqrt(v2), epsilon)), slice(steps, 0, i, i + 1));
    results[`w.${name}`] = sub(mul(w, slice(keeps, 0, i, i + 1)), step);
    results[`m.${name}`] = m2;
    results[`v.${name}`] = v2;
  }
  return results;
}

/** Inputs `sum.<name>`; outputs `squares.<name>` and `total.<name>`: the sum of squares and the sum of each gradient. */
export function squaresGraph(specs: readonly ParameterSpec[]): Record<string, Tensor> {
  const results: Record<string, Tensor> = {};
  for (const { name, shape } of specs) {
    const row = input(`sum.${name}`, [1, shape.reduce((a, b) => a * b, 1)]);
    results[`squares.${name}`] = reshape(matmul(row, row, { transB: true }), []);
    results[`total.${name}`] = sum(row);
  }
  return results;
}

/** target' = decay * target + (1 - decay) * source, over all parameters as one vector. */
export function emaGraph(size: number): Record<string, Tensor> {
  const target = input("target", [size]);
  const decay = input("decay", []);
  return { target: add(mul(target, decay), mul(input("source", [size]), sub(1, decay))) };
}
