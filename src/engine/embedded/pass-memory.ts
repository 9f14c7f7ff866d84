/** The memory of the engine's graphs while they run, and the number of tokens that a pass may hold in it. */
import { parameterSpecs } from "../../models/family.ts";
import { decodeGraph, prefillGraph } from "../../models/generation-graph.ts";
import { peakBytes } from "../../tensor/peak-memory.ts";
import type { ForwardOutput, HeadKind, ModelConfig } from "../engine.ts";
import { mostTokens } from "../pass-size.ts";
import { forwardGraph, type LossShape, lossGraph } from "./losses.ts";
import { cacheEntriesPerToken, longestChunk, rowsAtOnce } from "./sampler.ts";

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

/** Bytes that a forward pass's graph takes beside the parameters, if every token is scored. */
export function forwardBytes(
  model: { readonly config: ModelConfig; readonly heads: readonly HeadKind[] },
  { sequences, length }: PassSize,
  outputs: readonly ForwardOutput[],
): number {
  const scored = outputs.includes("score") ? sequences : sequences * length;
  return peakBytes(forwardGraph(model.config, model.heads, outputs), { sizes: { B: sequences, S: length, N: scored } });
}

/** Bytes of generation beside the parameters: the caches, and the graphs that read prompts and sample. */
export function samplingBytes(
  config: ModelConfig,
  { rows, prompt, newTokens }: { readonly rows: number; readonly prompt: number; readonly newTokens: number },
): { readonly cache: number; readonly graphs: number } {
  const atOnce = Math.min(rows, rowsAtOnce(config, prompt + newTokens));
  const cache = 4 * atOnce * cacheEntriesPerToken(config) * (prompt + newTokens);
  const isCache = (name: string) => /^(key|value)\./.test(name);
  const reading = peakBytes(prefillGraph(config), { sizes: { B: atOnce, P: prompt }, elsewhere: isCache });
  const chunk = Math.min(longestChunk, newTokens);
  const sizes = { B: atOnce, P: prompt + newTokens, R: chunk, U: chunk };
  const sampling = peakBytes(decodeGraph(config, { greedy: false, topK: 0, topP: false }), { sizes });
  return { cache, graphs: reading + sampling };
}
