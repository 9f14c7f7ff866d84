/** What the `config.json` of the gated decoders' families have in common, both ways, and the defaults of a model from scratch. */
import { type ActivationName, activations } from "./activation.ts";
import type { HfConfig } from "./hf-config.ts";
import { cacheSizes, type DecoderConfig } from "./model-config.ts";
import { writeRope } from "./rope-config.ts";
import type { RopeParameters } from "./rotary.ts";

/** The options that every gated decoder has, by their names in the file. */
export interface GatedOptions {
  readonly hidden_act: ActivationName;
  readonly rms_norm_eps: number;
}

export const activationNames = Object.keys(activations) as ActivationName[];

/** Sizes by the keys that these families share. Defaults are those of the family's class, for keys that a file may lack. */
export function readSizes(
  file: HfConfig,
  {
    tied = false,
    kvHeads,
    headDim,
  }: { readonly tied?: boolean; readonly kvHeads?: number; readonly headDim?: number } = {},
) {
  const width = file.count("hidden_size");
  const heads = file.count("num_attention_heads");
  const given = file.json.num_key_value_heads === undefined ? kvHeads : file.optionalCount("num_key_value_heads");
  const sizes = {
    vocabularySize: file.count("vocab_size"),
    context: file.count("max_position_embeddings"),
    width,
    layers: file.count("num_hidden_layers"),
    heads,
    kvHeads: given ?? heads,
    headDim: file.optionalCount("head_dim") ?? headDim ?? width / heads,
    innerWidth: file.count("intermediate_size"),
    tieEmbeddings: file.flag("tie_word_embeddings", tied),
  };
  if (!Number.isInteger(sizes.headDim))
    throw file.error(`hidden_size ${width} is not divisible by num_attention_heads ${heads}`);
  if (heads % sizes.kvHeads !== 0)
    throw file.error(`num_attention_heads ${heads} is not divisible by num_key_value_heads ${sizes.kvHeads}`);
  if (sizes.headDim % 2 === 1)
    throw file.error(`head_dim ${sizes.headDim} is odd; rotary positions turn pairs of entries`);
  return sizes;
}

export function readOptions(
  file: HfConfig,
  activationKey = "hidden_act",
  activation: ActivationName = "silu",
): GatedOptions {
  return {
    hidden_act: file.oneOf(activationKey, activationNames, activation),
    // Every class's default.
    rms_norm_eps: file.positive("rms_norm_eps", 1e-6),
  };
}

/** What `readSizes` and `readOptions` read. */
export function writeGated(config: DecoderConfig): Record<string, unknown> {
  const { kvHeads, headDim } = cacheSizes(config);
  const { hidden_act, rms_norm_eps } = config.options as unknown as GatedOptions;
  return {
    vocab_size: config.vocabularySize,
    max_position_embeddings: config.context,
    hidden_size: config.width,
    intermediate_size: config.innerWidth,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: kvHeads,
    head_dim: headDim,
    hidden_act,
    rms_norm_eps,
    tie_word_embeddings: config.tieEmbeddings,
    attention_dropout: 0,
  };
}

/** `writeGated`, and the rotary parameters of a family whose layers have the same. */
export function writeGatedRope(config: DecoderConfig): Record<string, unknown> {
  return { ...writeGated(config), ...writeRope(config.options?.rope_parameters as RopeParameters) };
}

/** An MLP of a model from scratch has as many parameters as one of four widths without a gate (Shazeer 2020), rounded up to a multiple of 32. */
export function innerFromScratch({ width }: Pick<DecoderConfig, "width">): number {
  return 32 * Math.ceil((8 * width) / (3 * 32));
}

/** Options of a model from scratch: those of transformers' classes; the base of RoFormer (Su et al. 2021) unless one is given. */
export function optionsFromScratch(ropeTheta = 10_000): GatedOptions & { rope_parameters: RopeParameters } {
  return { hidden_act: "silu", rms_norm_eps: 1e-6, rope_parameters: { rope_type: "default", rope_theta: ropeTheta } };
}

/** The files of a class without a head lack the prefix. */
export function gatedName(stored: string): string {
  return /^(embed_tokens|layers|norm)\./.test(stored) ? `model.${stored}` : stored;
}
