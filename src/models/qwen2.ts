/** Qwen2 and Qwen2.5 (Yang et al. 2024; Hugging Face's `Qwen2Model`): biases on queries, keys and values; later layers may have a window. */
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

interface Qwen2Options extends GatedOptions, WindowOptions {
  readonly rope_parameters: RopeParameters;
}

export const qwen2: Architecture = {
  ...gatedDecoder((config) => {
    const { hidden_act, rms_norm_eps, rope_parameters: rope, ...windows } = optionsOf(config);
    return {
      activation: hidden_act,
      epsilon: rms_norm_eps,
      biases: { qkv: true, output: false, mlp: false },
      queryKeyNorms: false,
      layers: Array.from({ length: config.layers }, (_, i) => ({ rope, window: windowOf(config, windows, i) })),
    };
  }),
  takes: ["kvHeads", "headDim", "innerWidth", "ropeTheta"],
  fromScratch: (config, { ropeTheta }) => ({
    innerWidth: innerFromScratch(config),
    options: { ...optionsFromScratch(ropeTheta), ...fullLayers(config) },
  }),
  huggingFace: {
    classes: { lm: "Qwen2ForCausalLM", scalar: "Qwen2ForSequenceClassification" },
    nameOf: gatedName,
    read: (file) => {
      file.only({ mlp_bias: false });
      const options: Qwen2Options = {
        ...readOptions(file),
        rope_parameters: readRope(file),
        ...readQwenWindows(file),
      };
      return { ...readSizes(file, { kvHeads: 32 }), options: { ...options } };
    },
    write: (config) => ({ ...writeGatedRope(config), ...writeQwenWindows(optionsOf(config)) }),
  },
};

function optionsOf({ options }: DecoderConfig): Qwen2Options {
  return options as unknown as Qwen2Options;
}
