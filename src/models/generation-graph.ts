/**
 * Generation inside the graph: a prefill that reads the prompts, and a decoder that samples a chunk of tokens in one run, with the KV cache and the
 * sampler in an ONNX `Loop`. Axes as in `attention.ts`.
 *
 * Prompts are padded on the right; every row knows its length, so that its positions are contiguous. The cache has two parts: `past` is fixed during
 * a chunk, `recent` grows by one token per step, so that a step copies little.
 */
import { product } from "../tensor/dims.ts";
import { constant, input, type Tensor } from "../tensor/graph.ts";
import {
  add,
  argmax,
  cast,
  concat,
  cumsum,
  div,
  exp,
  expand,
  gather,
  less,
  logSoftmax,
  loop,
  maximum,
  minimum,
  mul,
  not,
  pick,
  range,
  reshape,
  slice,
  split,
  sub,
  sum,
  topK,
  where,
} from "../tensor/ops.ts";
import { type LayerCache, oneToken, wholeSequences } from "./attention.ts";
import { languageHead, parameterInputs, trunk } from "./family.ts";
import { cacheSizes, type DecoderConfig } from "./model-config.ts";

/** The sampler's settings: `greedy` ignores temperature; topK 0 and topP 1 keep every token. */
export interface SamplerShape {
  readonly greedy: boolean;
  /** Number of tokens to keep, 0 for all. */
  readonly topK: number;
  /** Whether the tail of the distribution is cut off at a share; the share itself is an input. */
  readonly topP: boolean;
}

/** Keys and values of a layer as a graph's inputs or outputs. */
export const cacheNames = (layer: number) => ({ key: `key.${layer}`, value: `value.${layer}` });

function namedCache(cache: readonly LayerCache[]): Record<string, Tensor> {
  const named = cache.map(({ key, value }, layer) => {
    const names = cacheNames(layer);
    return { [names.key]: key, [names.value]: value };
  });
  return Object.assign({}, ...named) as Record<string, Tensor>;
}

/**
 * Reads prompts. Inputs: ids [B, P] int32, last [B] int32 (flat position b*P + length_b - 1).
 * Outputs: hidden [B, D] at the last token, and `key.i`, `value.i` [B, G, P, K] for each layer.
 */
export function prefillGraph(config: DecoderConfig): Record<string, Tensor> {
  const reading = wholeSequences(input("ids", ["B", "P"], "int32"));
  const hidden_N_D = trunk(config, parameterInputs(config, ["lm"]), reading);
  return { hidden: gather(hidden_N_D, input("last", ["B"], "int32")), ...namedCache(reading.cache) };
}

/**
 * Samples `steps` tokens per row; the caller looks for stop tokens. Inputs: steps int64 [], hidden [B, D], key.i and value.i [B, G, P, K], mask [B,
 * P] (0 if a cached position may be seen, -1e30 if it is padding), positions [B] int32 of the first new token, and, unless greedy, uniforms [U, B]
 * float64, temperature [] and, if it is used, topP [] float64. Outputs: tokens [U, B] int32, logprobs [U, B], hidden [B, D] and, to append to the
 * caches, key.i and value.i [B, G, U, K].
 */
export function decodeGraph(config: DecoderConfig, sampler: SamplerShape): Record<string, Tensor> {
  const { layers, width } = config;
  const { kvHeads, headDim } = cacheSizes(config);
  const parameters = parameterInputs(config, ["lm"]);
  const past = Array.from({ length: layers }, (_, layer): LayerCache => {
    const names = cacheNames(layer);
    const shape = ["B", kvHeads, "P", headDim];
    return { key: input(names.key, shape), value: input(names.value, shape) };
  });
  const mask = reshape(input("mask", ["B", "P"]), ["B", 1, 1, "P"]);
  const positions_B = cast(input("positions", ["B"], "int32"), "int64");
  const hidden_B_D = input("hidden", ["B", width]);
  // Concat needs a first part: an empty one, cut from the cache.
  const empty = (cache: Tensor) => split(cache, 2, [0, "P"])[0] as Tensor;
  const { states, stacked } = loop({
    steps: input("steps", [], "int64"),
    initial: [hidden_B_D, ...flat(past).map(empty)],
    stateShapes: [hidden_B_D.shape, ...flat(past).map(() => ["B", kvHeads, "R", headDim])],
    stackedLength: "U",
    body: (step, [hidden, ...recent]) => {
      const { token_B, logprob_B } = sample(sampler, languageHead(config, parameters, hidden as Tensor), step);
      const positions = add(positions_B, step);
      const reading = oneToken({ ids: token_B, positions, past, mask, recent: pairs(recent) });
      const next_B_D = trunk(config, parameters, reading);
      return { states: [next_B_D, ...flat(reading.cache)], stacked: [cast(token_B, "int32"), logprob_B] };
    },
  });
  const [hidden, ...recent] = states as [Tensor, ...Tensor[]];
  return { tokens: stacked[0] as Tensor, logprobs: stacked[1] as Tensor, hidden, ...namedCache(pairs(recent)) };
}

function flat(cache: readonly LayerCache[]): Tensor[] {
  return cache.flatMap(({ key, value }) => [key, value]);
}

function pairs(flat: readonly Tensor[]): LayerCache[] {
  return Array.from({ length: flat.length / 2 }, (_, layer) => ({
    key: flat[2 * layer] as Tensor,
    value: flat[2 * layer + 1] as Tensor,
  }));
}

/**
 * One token per row, by inverting the distribution function at a uniform number, and its log-probability over the whole vocabulary at the
 * temperature. Reads the decoder's inputs uniforms, temperature and topP.
 */
export function sample(
  { greedy, topK: keep, topP }: SamplerShape,
  logits_B_V: Tensor,
  step: Tensor,
): { token_B: Tensor; logprob_B: Tensor } {
  const V = logits_B_V.shape[1] as number;
  if (greedy) {
    const token_B = argmax(logits_B_V);
    return { token_B, logprob_B: pick(logSoftmax(logits_B_V), token_B) };
  }
  const uniform_B = gather(input("uniforms", ["U", "B"], "float64"), step);
  const logprobs_B_V = logSoftmax(div(logits_B_V, input("temperature", [])));
  if (keep === 0 && !topP) {
    const token_B = invert(exp(logprobs_B_V), uniform_B, V);
    return { token_B, logprob_B: pick(logprobs_B_V, token_B) };
  }
  const { values, indices } = topK(logprobs_B_V, keep === 0 ? V : Math.min(keep, V));
  const K = values.shape[1] as number;
  const p_B_K = exp(values);
  const choice_B = invert(topP ? cutTail(p_B_K, input("topP", [], "float64"), K) : p_B_K, uniform_B, K);
  return { token_B: pick(indices, choice_B), logprob_B: pick(values, choice_B) };
}

/** Sorted probabilities with 0 for the tail: a probability stays while those before it sum to less than `share` of all; the first always stays. */
function cutTail(p_B_K: Tensor, share: Tensor, K: number): Tensor {
  const long_B_K = cast(p_B_K, "float64");
  const running_B_K = cumsum(long_B_K);
  const before_B_K = sub(running_B_K, long_B_K);
  return where(less(before_B_K, mul(share, slice(running_B_K, 1, K - 1, K))), p_B_K, 0);
}

/**
 * An index for each row, drawn by a uniform number with probability in proportion to its weight; never one with weight 0.
 *
 * It takes two steps, a block and an index in it, each by a running sum in float64: over a large vocabulary a running sum in float32 loses the tail,
 * whose weights are below its last bit, and one of all weights in float64 takes longer.
 */
function invert(weights_B_K: Tensor, uniform_B: Tensor, K: number): Tensor {
  const size = 2 ** Math.ceil(Math.log2(K) / 2);
  const blocks = Math.ceil(K / size);
  const padding = blocks * size - K;
  const padded = padding === 0 ? weights_B_K : concat([weights_B_K, expand(constant(0), ["B", padding])], 1);
  const sums_B_M = sum(reshape(padded, ["B", blocks, size]), { axes: [2] });
  const block = chooseBySum(cast(sums_B_M, "float64"), uniform_B, blocks);
  const row_B = add(mul(range("B"), constant(blocks, [], "int64")), block.index_B);
  const inBlock_B_S = gather(reshape(padded, [product(["B", blocks]), size]), row_B);
  const inside = chooseBySum(cast(inBlock_B_S, "float64"), block.rest_B, size);
  return add(mul(block.index_B, constant(size, [], "int64")), inside.index_B);
}

/** The first index at which the running sum exceeds uniform * total, and the remainder of the uniform number, in [0, 1), for a choice within it. */
function chooseBySum(weights_B_N: Tensor, uniform_B: Tensor, N: number): { index_B: Tensor; rest_B: Tensor } {
  const running_B_N = cumsum(weights_B_N);
  const total_B_1 = slice(running_B_N, 1, N - 1, N);
  const target_B_1 = mul(reshape(uniform_B, ["B", 1]), total_B_1);
  const count = (condition_B_N: Tensor) => sum(cast(condition_B_N, "float32"), { axes: [1] });
  // The second bound holds if rounding carries the target to the total, past all weights; with NaN weights it selects the first index, and the
  // log-probability is NaN.
  const index_B = cast(
    minimum(count(not(less(target_B_1, running_B_N))), count(less(running_B_N, total_B_1))),
    "int64",
  );
  const before_B = pick(sub(running_B_N, weights_B_N), index_B);
  const rest_B = div(sub(reshape(target_B_1, ["B"]), before_B), pick(weights_B_N, index_B));
  return { index_B, rest_B: maximum(rest_B, constant(0, [], "float64")) };
}
