/** Qwen3 (Yang et al. 2025; Hugging Face's `Qwen3Model`): norms on each head's queries and keys; later layers may have a window. */
import type { Architecture } from "./architecture.ts";
import {
  type GatedOptions,
  gatedName,
  innerFromScratch,
  optionsFromScratch,
  readOptions,
  readSizes,
  writeGatedRope,
} from "./gated-config.ts";
import { gatedDecoder } from "./gated-decoder.ts";
import { fullLayers, readQwenWindows, type WindowOptions, windowOf, writeQwenWindows } from "./layer-types.ts";
import type { DecoderConfig } from "./model-config.ts";
import { readRope } from "./rope-config.ts";
import type { RopeParameters } from "./rotary.ts";

interface Qwen3Options extends GatedOptions, WindowOptions {
  readonly rope_parameters: RopeParameters;
  readonly attention_bias: boolean;
}

export const qwen3: Architecture = {
  ...gatedDecoder((config) => {
    const { hidden_act, rms_norm_eps, rope_parameters: rope, attention_bias: bias, ...windows } = optionsOf(config);
    return {
      activation: hidden_act,
      epsilon: rms_norm_eps,
      biases: { qkv: bias, output: bias, mlp: false },
      queryKeyNorms: true,
      layers: Array.from({ length: config.layers }, (_, i) => ({ rope, window: windowOf(config, windows, i) })),
    };
  }),
  takes: ["kvHeads", "headDim", "innerWidth", "ropeTheta"],
  fromScratch: (config, { ropeTheta }) => ({
    innerWidth: innerFromScratch(config),
    options: { ...optionsFromScratch(ropeTheta), ...fullLayers(config), attention_bias: false },
  }),
  huggingFace: {
    classes: { lm: "Qwen3ForCausalLM", scalar: "Qwen3ForSequenceClassification" },
    nameOf: gatedName,
    read: (file) => {
      file.only({ mlp_bias: false });
      const options: Qwen3Options = {
        ...readOptions(file),
        rope_parameters: readRope(file),
        ...readQwenWindows(file),
        attention_bias: file.flag("attention_bias", false),
      };
      return { ...readSizes(file, { kvHeads: 32, headDim: 128 }), options: { ...options } };
    },
    write: (config) => {
      const options = optionsOf(config);
      return {
        ...writeGatedRope(config),
        ...writeQwenWindows(options),
        attention_bias: options.attention_bias,
      };
    },
  },
};

function optionsOf({ options }: DecoderConfig): Qwen3Options {
  return options as unknown as Qwen3Options;
}
