/**
 * The decoder that Llama, Mistral, Qwen and Gemma share: RMS norms, rotary positions, grouped queries, gated MLPs, and matrices stored
 * [outputs, inputs]. A family says by its `GatedShape` what is particular to it.
 */
import type { Tensor } from "../tensor/graph.ts";
import { add, gather, mul, rmsNorm } from "../tensor/ops.ts";
import { type ActivationName, activations } from "./activation.ts";
import type { Architecture } from "./architecture.ts";
import type { Reading } from "./attention.ts";
import { cacheSizes, type DecoderConfig } from "./model-config.ts";
import { type ParameterSpec, type Parameters, parameter, specsOf } from "./parameters.ts";
import { project } from "./projection.ts";
import { type RopeParameters, rotations } from "./rotary.ts";

/** What differs between the families, for one model. */
export interface GatedShape {
  readonly activation: ActivationName;
  /** Added to the mean square in every norm. */
  readonly epsilon: number;
  /** Which projections have a bias. */
  readonly biases: { readonly qkv: boolean; readonly output: boolean; readonly mlp: boolean };
  /** Whether each head's queries and keys are normed before they are rotated. */
  readonly queryKeyNorms: boolean;
  readonly layers: readonly GatedLayer[];
  /** Gemma's: norms scale by 1 + weight, a second pair of them follows attention and MLP, embeddings and scores have factors of their own. */
  readonly gemma?: { readonly embeddingScale: number; readonly attentionScale: number };
}

export interface GatedLayer {
  readonly rope: RopeParameters;
  /** Most positions that a token sees; null for all. */
  readonly window: number | null;
}

const embedding = "model.embed_tokens.weight";

/** The rows of `Architecture` that follow from a shape. */
export function gatedDecoder(
  shapeOf: (config: DecoderConfig) => GatedShape,
): Pick<Architecture, "parameters" | "layout" | "trunk" | "languageHead"> {
  return {
    languageHead: { tied: embedding, own: "lm_head.weight" },
    layout: "outputs-inputs",
    parameters: (config) => parameters(config, shapeOf(config)),
    trunk: (config, named, reading) => trunk(config, shapeOf(config), named, reading),
  };
}

function parameters(config: DecoderConfig, shape: GatedShape): ParameterSpec[] {
  const { vocabularySize, width, heads } = config;
  const { kvHeads, headDim } = cacheSizes(config);
  const { biases, queryKeyNorms, gemma } = shape;
  const inner = config.innerWidth as number;
  // Unit variance through a matrix (PaLM, Chowdhery et al. 2022), reduced by the square root of their number for the projections into the residual
  // stream (GPT-2). Hugging Face's constant 0.02 equals this at a width of 2,500.
  const sd = (inputs: number) => 1 / Math.sqrt(inputs);
  const residual = 1 / Math.sqrt(2 * config.layers);
  const norm = (group: string, name: string, size = width) => {
    const { ones, zeros } = specsOf(group);
    return gemma === undefined ? ones(`${name}.weight`, size) : zeros(`${name}.weight`, size);
  };
  const dense = (group: string, name: string, [outputs, inputs]: readonly [number, number], bias: boolean, by = 1) => {
    const { matrix, zeros } = specsOf(group);
    const weight = matrix(`${name}.weight`, [outputs, inputs], by * sd(inputs));
    return bias ? [weight, zeros(`${name}.bias`, outputs)] : [weight];
  };
  const specs = [specsOf("embeddings").matrix(embedding, [vocabularySize, width], sd(width))];
  for (let i = 0; i < config.layers; i++) {
    const block = `model.layers.${i}`;
    const group = `block.${i}`;
    const attention = `${block}.self_attn`;
    specs.push(
      norm(group, `${block}.input_layernorm`),
      ...dense(group, `${attention}.q_proj`, [heads * headDim, width], biases.qkv),
      ...dense(group, `${attention}.k_proj`, [kvHeads * headDim, width], biases.qkv),
      ...dense(group, `${attention}.v_proj`, [kvHeads * headDim, width], biases.qkv),
      ...dense(group, `${attention}.o_proj`, [width, heads * headDim], biases.output, residual),
      ...(queryKeyNorms ? ["q_norm", "k_norm"].map((name) => norm(group, `${attention}.${name}`, headDim)) : []),
      norm(group, `${block}.post_attention_layernorm`),
      ...(gemma ? ["pre", "post"].map((when) => norm(group, `${block}.${when}_feedforward_layernorm`)) : []),
      ...dense(group, `${block}.mlp.gate_proj`, [inner, width], biases.mlp),
      ...dense(group, `${block}.mlp.up_proj`, [inner, width], biases.mlp),
      ...dense(group, `${block}.mlp.down_proj`, [width, inner], biases.mlp, residual),
    );
  }
  return [...specs, norm("final", "model.norm")];
}

function trunk(config: DecoderConfig, shape: GatedShape, parameters: Parameters, reading: Reading): Tensor {
  const { heads } = config;
  const { kvHeads, headDim: size } = cacheSizes(config);
  const { epsilon, queryKeyNorms, gemma } = shape;
  const of = (name: string) => parameter(parameters, `${name}.weight`);
  const norm = (name: string, x: Tensor) => rmsNorm(x, gemma ? add(of(name), 1) : of(name), epsilon);
  const dense = (name: string, x: Tensor) => project(parameters, name, x, "outputs-inputs");
  const activation = activations[shape.activation];
  const rotate = rotations(reading, size);
  const embedded_N_D = reading.tokens(gather(parameter(parameters, embedding), reading.ids));
  let x_N_D = gemma ? mul(embedded_N_D, gemma.embeddingScale) : embedded_N_D;
  for (const [i, { rope, window }] of shape.layers.entries()) {
    const block = `model.layers.${i}`;
    const attention = `${block}.self_attn`;
    x_N_D = reading.block(x_N_D, (before_N_D) => {
      const normed_N_D = norm(`${block}.input_layernorm`, before_N_D);
      const headsOf = (name: string, heads: number) =>
        reading.heads(dense(`${attention}.${name}_proj`, normed_N_D), { heads, size })[0] as Tensor;
      const positioned = (name: string, heads: number) => {
        const x = headsOf(name, heads);
        return rotate(queryKeyNorms ? norm(`${attention}.${name}_norm`, x) : x, rope);
      };
      const [q, k, v] = [positioned("q", heads), positioned("k", kvHeads), headsOf("v", kvHeads)];
      const scale = gemma && { scale: gemma.attentionScale };
      const attended_N_D = dense(`${attention}.o_proj`, reading.attend(i, { q, k, v, window, ...scale }));
      const afterAttention = `${block}.post_attention_layernorm`;
      const middle_N_D = add(before_N_D, gemma ? norm(afterAttention, attended_N_D) : attended_N_D);
      const read_N_D = norm(gemma ? `${block}.pre_feedforward_layernorm` : afterAttention, middle_N_D);
      const gate_N_I = activation(dense(`${block}.mlp.gate_proj`, read_N_D));
      const mixed_N_D = dense(`${block}.mlp.down_proj`, mul(gate_N_I, dense(`${block}.mlp.up_proj`, read_N_D)));
      return add(middle_N_D, gemma ? norm(`${block}.post_feedforward_layernorm`, mixed_N_D) : mixed_N_D);
    });
  }
  return norm("model.norm", x_N_D);
}
