/**
 * GPT-NeoX (Black et al. 2022; Hugging Face's `GPTNeoXModel`), such as Pythia: layer norms with biases, attention and MLP side by side, queries, keys and
 * values in one matrix head by head, rotary positions on a part of each head.
 */
import type { Tensor } from "../tensor/graph.ts";
import { add, gather, layerNorm, split } from "../tensor/ops.ts";
import { type ActivationName, activations } from "./activation.ts";
import type { Architecture } from "./architecture.ts";
import type { Reading } from "./attention.ts";
import { activationNames } from "./gated-config.ts";
import type { HfConfig } from "./hf-config.ts";
import { onlyFullLayers } from "./layer-types.ts";
import type { DecoderConfig } from "./model-config.ts";
import { type ParameterSpec, type Parameters, parameter, specsOf } from "./parameters.ts";
import { project } from "./projection.ts";
import { readRope, writeRope } from "./rope-config.ts";
import { type RopeParameters, rotations } from "./rotary.ts";

interface NeoxOptions {
  readonly hidden_act: ActivationName;
  readonly layer_norm_eps: number;
  readonly attention_bias: boolean;
  /** Whether attention and MLP read the same hidden state, instead of one after the other. */
  readonly use_parallel_residual: boolean;
  readonly rope_parameters: RopeParameters;
}

const embedding = "gpt_neox.embed_in.weight";
/** The class's default share of a head that is rotated. */
const rotatedShare = 0.25;

export const gptNeox: Architecture = {
  parameters,
  layout: "outputs-inputs",
  trunk,
  languageHead: { tied: embedding, own: "embed_out.weight" },
  takes: ["innerWidth", "ropeTheta"],
  fromScratch: ({ width }, { ropeTheta = 10_000 }) => ({
    innerWidth: 4 * width,
    options: {
      hidden_act: "gelu",
      layer_norm_eps: 1e-5,
      attention_bias: true,
      use_parallel_residual: true,
      rope_parameters: { rope_type: "default", rope_theta: ropeTheta, partial_rotary_factor: rotatedShare },
    } satisfies NeoxOptions,
  }),
  huggingFace: {
    classes: { lm: "GPTNeoXForCausalLM", scalar: "GPTNeoXForSequenceClassification" },
    // transformers 5 names the head differently in memory, and files of the class without a head lack the prefix.
    nameOf: (stored) =>
      stored === "lm_head.weight"
        ? "embed_out.weight"
        : /^(embed_in|layers|final_layer_norm)\./.test(stored)
          ? `gpt_neox.${stored}`
          : stored,
    read,
    write,
  },
};

function optionsOf({ options }: DecoderConfig): NeoxOptions {
  return options as unknown as NeoxOptions;
}

function parameters(config: DecoderConfig): ParameterSpec[] {
  const { vocabularySize, width, layers, innerWidth = 4 * width } = config;
  const { attention_bias: bias } = optionsOf(config);
  // GPT-NeoX-20B's (Black et al. 2022, section 2): sqrt(2/(5 d)) (Nguyen and Salazar 2019), and 2/(layers sqrt(d)) into the residual stream.
  const sd = Math.sqrt(2 / (5 * width));
  const residual = 2 / (layers * Math.sqrt(width));
  const norm = (group: string, name: string) => {
    const { ones, zeros } = specsOf(group);
    return [ones(`${name}.weight`, width), zeros(`${name}.bias`, width)];
  };
  const dense = (
    group: string,
    name: string,
    [outputs, inputs]: readonly [number, number],
    deviation: number,
    bias = true,
  ) => {
    const { matrix, zeros } = specsOf(group);
    const weight = matrix(`${name}.weight`, [outputs, inputs], deviation);
    return bias ? [weight, zeros(`${name}.bias`, outputs)] : [weight];
  };
  const specs = [specsOf("embeddings").matrix(embedding, [vocabularySize, width], sd)];
  for (let i = 0; i < layers; i++) {
    const block = `gpt_neox.layers.${i}`;
    const group = `block.${i}`;
    specs.push(
      ...norm(group, `${block}.input_layernorm`),
      ...norm(group, `${block}.post_attention_layernorm`),
      ...dense(group, `${block}.attention.query_key_value`, [3 * width, width], sd, bias),
      ...dense(group, `${block}.attention.dense`, [width, width], residual, bias),
      ...dense(group, `${block}.mlp.dense_h_to_4h`, [innerWidth, width], sd),
      ...dense(group, `${block}.mlp.dense_4h_to_h`, [width, innerWidth], residual),
    );
  }
  return [...specs, ...norm("final", "gpt_neox.final_layer_norm")];
}

function trunk(config: DecoderConfig, parameters: Parameters, reading: Reading): Tensor {
  const { width, layers, heads } = config;
  const { hidden_act, layer_norm_eps, use_parallel_residual: parallel, rope_parameters: rope } = optionsOf(config);
  const size = width / heads;
  const of = (name: string) => parameter(parameters, name);
  const norm = (name: string, x: Tensor) => layerNorm(x, of(`${name}.weight`), of(`${name}.bias`), layer_norm_eps);
  const dense = (name: string, x: Tensor) => project(parameters, name, x, "outputs-inputs");
  const activation = activations[hidden_act];
  const rotate = rotations(reading, size);
  let x_N_D = reading.tokens(gather(of(embedding), reading.ids));
  for (let i = 0; i < layers; i++) {
    const block = `gpt_neox.layers.${i}`;
    x_N_D = reading.block(x_N_D, (before_N_D) => {
      const qkv_N_3D = dense(`${block}.attention.query_key_value`, norm(`${block}.input_layernorm`, before_N_D));
      // Each head has its queries, keys and values side by side.
      const [qkv] = reading.heads(qkv_N_3D, { heads, size: 3 * size }) as [Tensor];
      const [q, k, v] = split(qkv, 3, 3) as [Tensor, Tensor, Tensor];
      const mixed = reading.attend(i, { q: rotate(q, rope), k: rotate(k, rope), v });
      const attended_N_D = add(before_N_D, dense(`${block}.attention.dense`, mixed));
      const read_N_D = norm(`${block}.post_attention_layernorm`, parallel ? before_N_D : attended_N_D);
      const inner_N_I = activation(dense(`${block}.mlp.dense_h_to_4h`, read_N_D));
      return add(attended_N_D, dense(`${block}.mlp.dense_4h_to_h`, inner_N_I));
    });
  }
  return norm("gpt_neox.final_layer_norm", x_N_D);
}

function read(file: HfConfig): Omit<DecoderConfig, "family"> {
  onlyFullLayers(file);
  const width = file.count("hidden_size");
  const heads = file.count("num_attention_heads");
  if (width % heads !== 0) throw file.error(`hidden_size ${width} is not divisible by num_attention_heads ${heads}`);
  file.only({ head_dim: width / heads, num_key_value_heads: heads, sliding_window: null, attention_chunk_size: null });
  // The class ignores the keys of other families, and reads its own.
  const partial = { key: "rotary_pct", default: rotatedShare };
  const rope = readRope(file, { thetaKey: "rotary_emb_base", partial });
  if (Math.trunc((width / heads) * (rope.partial_rotary_factor as number)) < 1)
    throw file.error(
      `rotary_pct ${rope.partial_rotary_factor} of a head of width ${width / heads} leaves nothing to rotate`,
    );
  file.only({ rope_theta: rope.rope_theta, partial_rotary_factor: rope.partial_rotary_factor });
  const options: NeoxOptions = {
    hidden_act: file.oneOf("hidden_act", activationNames, "gelu"),
    layer_norm_eps: file.positive("layer_norm_eps", 1e-5),
    attention_bias: file.flag("attention_bias", true),
    use_parallel_residual: file.flag("use_parallel_residual", true),
    rope_parameters: rope,
  };
  return {
    vocabularySize: file.count("vocab_size"),
    context: file.count("max_position_embeddings"),
    width,
    layers: file.count("num_hidden_layers"),
    heads,
    innerWidth: file.count("intermediate_size"),
    tieEmbeddings: file.flag("tie_word_embeddings", false),
    options: { ...options },
  };
}

function write(config: DecoderConfig): Record<string, unknown> {
  const { rope_parameters, ...options } = optionsOf(config);
  return {
    vocab_size: config.vocabularySize,
    max_position_embeddings: config.context,
    hidden_size: config.width,
    intermediate_size: config.innerWidth,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    tie_word_embeddings: config.tieEmbeddings,
    ...options,
    ...writeRope(rope_parameters),
    rotary_emb_base: rope_parameters.rope_theta,
    rotary_pct: rope_parameters.partial_rotary_factor,
    attention_dropout: 0,
    hidden_dropout: 0,
  };
}
