/** Activation checkpointing (Chen et al. 2016): a part of a graph that the backward pass computes again instead of keeping its values. */
import { pullback } from "./gradients.ts";
import type { Tensor } from "./graph.ts";
import { customGradient, less, slice, where } from "./ops.ts";

/**
 * body(x), a tensor of two axes. Of what is inside, nothing is kept for the backward pass, which calls `body` again; gradients flow to x and to the graph's
 * inputs that the body reads. Both computations have the same bits.
 */
export function recomputed(x: Tensor, body: (x: Tensor) => Tensor): Tensor {
  const y = body(x);
  const read = inputsBehind(y, x);
  const [result] = customGradient([y], [x, ...read], ([g], wanted) => {
    const again = after(x, g as Tensor);
    const sources = [again, ...read];
    const found = pullback(
      [[body(again), g as Tensor]],
      sources.filter((_, i) => wanted[i]),
    );
    return sources.map((_, i) => (wanted[i] ? (found.shift() as Tensor) : null));
  });
  return result as Tensor;
}

/**
 * x, but not before g exists: otherwise ONNX Runtime merges the second computation with the first, or runs it early and keeps its values. No number is less
 * than itself, so every entry is x's.
 */
function after(x: Tensor, g: Tensor): Tensor {
  const entry = slice(slice(g, 0, 0, 1), 1, 0, 1);
  return where(less(entry, entry), 0, x);
}

/** The graph's inputs that y depends on other than through x. */
function inputsBehind(y: Tensor, x: Tensor): Tensor[] {
  const found: Tensor[] = [];
  const seen = new Set([x]);
  const waiting = [y];
  for (let tensor = waiting.pop(); tensor !== undefined; tensor = waiting.pop()) {
    if (seen.has(tensor)) continue;
    seen.add(tensor);
    if (tensor.op === "input") found.push(tensor);
    waiting.push(...tensor.inputs);
  }
  return found;
}
