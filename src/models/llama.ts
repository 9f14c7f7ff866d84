/** Llama (Touvron et al. 2023; Hugging Face's `LlamaModel`): Llama 1 to 3, and models of its shape such as SmolLM and TinyLlama. */
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
import { onlyFullLayers } from "./layer-types.ts";
import type { DecoderConfig } from "./model-config.ts";
import { readRope } from "./rope-config.ts";
import type { RopeParameters } from "./rotary.ts";

interface LlamaOptions extends GatedOptions {
  readonly rope_parameters: RopeParameters;
  readonly attention_bias: boolean;
  readonly mlp_bias: boolean;
}

export const llama: Architecture = {
  ...gatedDecoder((config) => {
    const { attention_bias, mlp_bias, hidden_act, rms_norm_eps, rope_parameters: rope } = optionsOf(config);
    return {
      activation: hidden_act,
      epsilon: rms_norm_eps,
      biases: { qkv: attention_bias, output: attention_bias, mlp: mlp_bias },
      queryKeyNorms: false,
      layers: Array.from({ length: config.layers }, () => ({ rope, window: null })),
    };
  }),
  takes: ["kvHeads", "headDim", "innerWidth", "ropeTheta"],
  fromScratch: (config, { ropeTheta }) => ({
    innerWidth: innerFromScratch(config),
    options: { ...optionsFromScratch(ropeTheta), attention_bias: false, mlp_bias: false },
  }),
  huggingFace: {
    classes: { lm: "LlamaForCausalLM", scalar: "LlamaForSequenceClassification" },
    nameOf: gatedName,
    read: (file) => {
      file.only({ pretraining_tp: 1, rope_interleaved: false, sliding_window: null, attention_chunk_size: null });
      onlyFullLayers(file);
      const options: LlamaOptions = {
        ...readOptions(file),
        rope_parameters: readRope(file),
        attention_bias: file.flag("attention_bias", false),
        mlp_bias: file.flag("mlp_bias", false),
      };
      return { ...readSizes(file), options: { ...options } };
    },
    write: (config) => {
      const { attention_bias, mlp_bias } = optionsOf(config);
      return { ...writeGatedRope(config), attention_bias, mlp_bias, pretraining_tp: 1 };
    },
  },
};

function optionsOf({ options }: DecoderConfig): LlamaOptions {
  return options as unknown as LlamaOptions;
}
