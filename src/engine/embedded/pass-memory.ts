/** The memory of the engine's graphs while they run, and the number of tokens that a pass may hold in it. */
import { parameterSpecs } from "../../models/family.ts";
import { peakBytes } from "../../tensor/peak-memory.ts";
import type { HeadKind, ModelConfig } from "../engine.ts";
import { mostTokens } from "../pass-size.ts";
import { type LossShape, lossGraph } from "./losses.ts";

/** The policy loss with everything that it usually computes. */
const policyShape: LossShape = { name: "policy", penalty: null, dualClip: false, entropyBonus: true, kl: null };

/** Sequences of a pass, read to `length` tokens each. */
export interface PassSize {
  readonly sequences: number;
  readonly length: number;
}

/** Bytes that a loss's graph takes beside the parameters and the accumulated gradient, if every token is scored. */
export function lossBytes(
  model: { readonly config: ModelConfig; readonly heads: readonly HeadKind[] },
  { sequences, length }: PassSize,
  { recompute, shape = policyShape }: { readonly recompute: boolean; readonly shape?: LossShape },
): number {
  const graph = lossGraph(model.config, model.heads, shape, { recompute });
  const sizes = { B: sequences, S: length, N: sequences * length };
  return peakBytes(graph, { sizes, elsewhere: (name) => name.startsWith("sum.") });
}

/**
 * Padded tokens of a pass: the most, unless the policy loss takes more than `budget` bytes; then half as many, or a quarter, down to 64. Sequences count
 * with the model's whole context. The answer depends on the configuration only, and is the same for every model of a run that has this trunk, so policy and
 * critic read a minibatch in the same passes.
 */
export function tokensWithin(
  config: ModelConfig,
  { recompute, budget }: { recompute: boolean; budget: number },
): number {
  // Nothing that could be trained: an adapter of rank 0.
  if (!parameterSpecs(config, ["lm"]).some(({ trainable }) => trainable)) return mostTokens;
  let tokens = mostTokens;
  while (tokens > fewestTokens) {
    const length = Math.min(config.context, tokens);
    const pass = { sequences: Math.floor(tokens / length), length };
    if (lossBytes({ config, heads: ["lm"] }, pass, { recompute }) <= budget) break;
    tokens /= 2;
  }
  return tokens;
}

const fewestTokens = 64;
