/** GPT-2's decoder as a function of a configuration and parameters (Radford et al. 2019; Hugging Face's `GPT2Model`). */
import { type Dim, product } from "../tensor/dims.ts";
import { constant, input, type Tensor } from "../tensor/graph.ts";
import {
  add,
  gather,
  gelu,
  greater,
  layerNorm,
  linear,
  matmul,
  range,
  reshape,
  softmax,
  split,
  transpose,
  where,
} from "../tensor/ops.ts";
import { type DecoderConfig, type Head, layerNormEpsilon, parameterSpecs } from "./model-config.ts";

/** Parameters by name: inputs of the graph, since they change at every step. */
export type Parameters = ReadonlyMap<string, Tensor>;

/** `prefix` goes before the inputs' names, for a second model in one graph; the parameters keep theirs. */
export function parameterInputs(config: DecoderConfig, heads: readonly Head[], prefix = ""): Parameters {
  return new Map(parameterSpecs(config, heads).map(({ name, shape }) => [name, input(`${prefix}${name}`, shape)]));
}

export function parameter(parameters: Parameters, name: string): Tensor {
  const found = parameters.get(name);
  if (found === undefined) throw new Error(`no parameter ${name}`);
  return found;
}

/** Looks up the parameters of one layer, `name.weight` and `name.bias`. */
export function affine(parameters: Parameters, name: string): { weight: Tensor; bias: Tensor } {
  return { weight: parameter(parameters, `${name}.weight`), bias: parameter(parameters, `${name}.bias`) };
}

export function norm(parameters: Parameters, name: string, x: Tensor): Tensor {
  const { weight, bias } = affine(parameters, name);
  return layerNorm(x, weight, bias, layerNormEpsilon);
}

export function dense(parameters: Parameters, name: string, x: Tensor): Tensor {
  const { weight, bias } = affine(parameters, name);
  return linear(x, weight, bias);
}

/** The MLP's half of a block. [N, D] -> [N, D] */
export function feedForward(parameters: Parameters, block: string, x_N_D: Tensor): Tensor {
  const inner_N_4D = gelu(dense(parameters, `${block}.mlp.c_fc`, norm(parameters, `${block}.ln_2`, x_N_D)));
  return add(x_N_D, dense(parameters, `${block}.mlp.c_proj`, inner_N_4D));
}

/**
 * Hidden states after the last norm, flattened: [B, S] int32 ids -> [B*S, D].
 *
 * Sequences are padded at their right: with the causal mask no real position sees a pad, and positions count from 0.
 */
export function trunk(config: DecoderConfig, parameters: Parameters, ids_B_S: Tensor): Tensor {
  return trunkWithCache(config, parameters, ids_B_S).hidden_N_D;
}

/** The same, with the keys and values of every layer, [B, H, S, K] each, for generation to go on from. */
export function trunkWithCache(
  config: DecoderConfig,
  parameters: Parameters,
  ids_B_S: Tensor,
): { hidden_N_D: Tensor; keys: Tensor[]; values: Tensor[] } {
  const { width, layers, heads } = config;
  const [B, S] = ids_B_S.shape as [Dim, Dim];
  const size = width / heads;
  const positions_S_D = gather(parameter(parameters, "transformer.wpe.weight"), range(S), { distinct: true });
  const embedded_B_S_D = add(gather(parameter(parameters, "transformer.wte.weight"), ids_B_S), positions_S_D);
  const mask_S_S = causalMask(S);
  const keys: Tensor[] = [];
  const values: Tensor[] = [];
  let x_N_D = reshape(embedded_B_S_D, [product([B, S]), width]);
  for (let i = 0; i < layers; i++) {
    const block = `transformer.h.${i}`;
    const qkv_N_3D = dense(parameters, `${block}.attn.c_attn`, norm(parameters, `${block}.ln_1`, x_N_D));
    // [B, S, 3, H, K] -> [3, B, H, S, K]
    const qkv = transpose(reshape(qkv_N_3D, [B, S, 3, heads, size]), [2, 0, 3, 1, 4]);
    const [q, k, v] = split(qkv, 0, 3).map((part) => reshape(part, [B, heads, S, size])) as [Tensor, Tensor, Tensor];
    const scores_B_H_S_S = add(matmul(q, k, { transB: true, alpha: 1 / Math.sqrt(size) }), mask_S_S);
    const mixed_B_H_S_K = matmul(softmax(scores_B_H_S_S), v);
    const merged_N_D = reshape(transpose(mixed_B_H_S_K, [0, 2, 1, 3]), [product([B, S]), width]);
    x_N_D = add(x_N_D, dense(parameters, `${block}.attn.c_proj`, merged_N_D));
    x_N_D = feedForward(parameters, block, x_N_D);
    keys.push(k);
    values.push(v);
  }
  return { hidden_N_D: norm(parameters, "transformer.ln_f", x_N_D), keys, values };
}

/** 0 where a position may look, a large negative number where it may not. [S, S] */
function causalMask(S: Dim): Tensor {
  const positions = range(S);
  const future = greater(reshape(positions, [1, S]), reshape(positions, [S, 1]));
  return where(future, constant(-1e30), constant(0));
}

/**
 * Logits over the vocabulary, by the tied embedding or a matrix of their own. [N, D] -> [N, V]
 *
 * An id that no text has gets a logit of -1e30: probability 0 at every temperature above 1e-8, and no gradient.
 */
export function languageHead(config: DecoderConfig, parameters: Parameters, hidden_N_D: Tensor): Tensor {
  const { tieEmbeddings, textIds, vocabularySize } = config;
  const name = tieEmbeddings ? "transformer.wte.weight" : "lm_head.weight";
  const logits_N_V = matmul(hidden_N_D, parameter(parameters, name), { transB: true });
  if (textIds === undefined) return logits_N_V;
  const mask_V = new Array<number>(vocabularySize).fill(0).fill(-1e30, textIds.below);
  for (const id of textIds.missing) mask_V[id] = -1e30;
  return add(logits_N_V, constant(mask_V));
}

/** One number a position. [N, D] -> [N] */
export function scalarHead(parameters: Parameters, hidden_N_D: Tensor): Tensor {
  const { weight, bias } = affine(parameters, "score");
  const out_N_1 = add(matmul(hidden_N_D, weight, { transB: true }), bias);
  return reshape(out_N_1, [out_N_1.shape[0] as Dim]);
}
