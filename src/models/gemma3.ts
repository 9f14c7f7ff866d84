/**
 * The text model of Gemma 3 (Gemma Team 2025; Hugging Face's `Gemma3TextModel`): local and global layers with rotary bases of their own, norms that
 * scale by 1 + weight before and after each half of a block, scaled embeddings.
 */
import type { Architecture } from "./architecture.ts";
import {
  type GatedOptions,
  gatedName,
  innerFromScratch,
  optionsFromScratch,
  readOptions,
  readSizes,
  writeGated,
} from "./gated-config.ts";
import { gatedDecoder } from "./gated-decoder.ts";
import { type LayerType, layerTypes, readLayerTypes, type WindowOptions, windowOf } from "./layer-types.ts";
import { cacheSizes, type DecoderConfig } from "./model-config.ts";
import { readRope, writeRope } from "./rope-config.ts";
import type { RopeParameters } from "./rotary.ts";

interface Gemma3Options extends GatedOptions, WindowOptions {
  readonly rope_parameters: { readonly [T in LayerType]: RopeParameters };
  readonly attention_bias: boolean;
  /** Scores are divided by its square root. */
  readonly query_pre_attn_scalar: number;
}

/** Bases of the global and the local layers, and the layers' pattern, five local ones and a global one: the class's defaults. */
const globalTheta = 1_000_000;
const localTheta = 10_000;
const typeAt = (layer: number, pattern = 6): LayerType =>
  (layer + 1) % pattern === 0 ? "full_attention" : "sliding_attention";

export const gemma3: Architecture = {
  ...gatedDecoder((config) => {
    const { hidden_act, rms_norm_eps, rope_parameters, attention_bias: bias, ...options } = optionsOf(config);
    return {
      activation: hidden_act,
      epsilon: rms_norm_eps,
      biases: { qkv: bias, output: bias, mlp: false },
      queryKeyNorms: true,
      layers: options.layer_types.map((type, i) => ({
        rope: rope_parameters[type],
        window: windowOf(config, options, i),
      })),
      gemma: {
        embeddingScale: Math.sqrt(config.width),
        attentionScale: 1 / Math.sqrt(options.query_pre_attn_scalar),
      },
    };
  }),
  takes: ["kvHeads", "headDim", "innerWidth", "ropeTheta"],
  fromScratch: (config, { ropeTheta = globalTheta }) => ({
    innerWidth: innerFromScratch(config),
    options: {
      ...optionsFromScratch(),
      hidden_act: "gelu_pytorch_tanh",
      rope_parameters: {
        full_attention: { rope_type: "default", rope_theta: ropeTheta },
        sliding_attention: { rope_type: "default", rope_theta: localTheta },
      },
      // Gemma 3 1B's.
      sliding_window: 512,
      layer_types: layerTypes(config.layers, (i) => typeAt(i)),
      attention_bias: false,
      query_pre_attn_scalar: cacheSizes(config).headDim,
    },
  }),
  huggingFace: {
    classes: { lm: "Gemma3ForCausalLM", scalar: "Gemma3TextForSequenceClassification" },
    nameOf: gatedName,
    read: (file) => {
      file.only({
        final_logit_softcapping: null,
        attn_logit_softcapping: null,
        use_bidirectional_attention: false,
        mlp_bias: false,
      });
      const pattern = file.optionalCount("sliding_window_pattern") ?? 6;
      const layer_types = readLayerTypes(file, (i) => typeAt(i, pattern));
      const options: Gemma3Options = {
        ...readOptions(file, "hidden_activation", "gelu_pytorch_tanh"),
        rope_parameters: {
          full_attention: readRope(file, { entry: "full_attention", theta: globalTheta }),
          sliding_attention: readRope(file, {
            entry: "sliding_attention",
            thetaKey: "rope_local_base_freq",
            theta: localTheta,
            scaled: false,
          }),
        },
        sliding_window: layer_types.includes("sliding_attention")
          ? file.json.sliding_window === undefined
            ? 4096
            : file.count("sliding_window")
          : file.optionalCount("sliding_window"),
        layer_types,
        attention_bias: file.flag("attention_bias", false),
        query_pre_attn_scalar: file.positive("query_pre_attn_scalar", 256),
      };
      return { ...readSizes(file, { tied: true, kvHeads: 4, headDim: 256 }), options: { ...options } };
    },
    write: (config) => {
      const { hidden_act: hidden_activation, ...json } = writeGated(config);
      const { rope_parameters, hidden_act: _act, rms_norm_eps: _eps, ...options } = optionsOf(config);
      return {
        ...json,
        hidden_activation,
        ...options,
        ...writeRope(rope_parameters.full_attention),
        rope_parameters,
        rope_local_base_freq: rope_parameters.sliding_attention.rope_theta,
      };
    },
  },
};

function optionsOf({ options }: DecoderConfig): Gemma3Options {
  return options as unknown as Gemma3Options;
}
