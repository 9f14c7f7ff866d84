/** Mistral (Jiang et al. 2023; Hugging Face's `MistralModel`), as long as its window holds whole sequences. */
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

interface MistralOptions extends GatedOptions {
  readonly rope_parameters: RopeParameters;
  /** At least the context, so that it changes nothing; kept for the file. */
  readonly sliding_window: number | null;
}

export const mistral: Architecture = {
  ...gatedDecoder((config) => {
    const { hidden_act, rms_norm_eps, rope_parameters: rope } = optionsOf(config);
    return {
      activation: hidden_act,
      epsilon: rms_norm_eps,
      biases: { qkv: false, output: false, mlp: false },
      queryKeyNorms: false,
      layers: Array.from({ length: config.layers }, () => ({ rope, window: null })),
    };
  }),
  takes: ["kvHeads", "headDim", "innerWidth", "ropeTheta"],
  fromScratch: (config, { ropeTheta }) => ({
    innerWidth: innerFromScratch(config),
    options: { ...optionsFromScratch(ropeTheta), sliding_window: null },
  }),
  huggingFace: {
    classes: { lm: "MistralForCausalLM", scalar: "MistralForSequenceClassification" },
    nameOf: gatedName,
    read: (file) => {
      file.only({ attention_bias: false, mlp_bias: false });
      onlyFullLayers(file);
      const sizes = readSizes(file, { kvHeads: 8 });
      const window = file.json.sliding_window === undefined ? 4096 : file.optionalCount("sliding_window");
      if (window !== null && window < sizes.context)
        throw file.error(
          `sliding_window is ${window}, smaller than max_position_embeddings ${sizes.context}; only a window that holds the longest sequence is supported`,
          `If your rows fit into ${window} tokens, set max_position_embeddings to ${window} in a copy of the folder: up to there the window changes nothing.`,
        );
      const options: MistralOptions = {
        ...readOptions(file),
        rope_parameters: readRope(file),
        sliding_window: window,
      };
      return { ...sizes, options: { ...options } };
    },
    write: (config) => ({ ...writeGatedRope(config), sliding_window: optionsOf(config).sliding_window }),
  },
};

function optionsOf({ options }: DecoderConfig): MistralOptions {
  return options as unknown as MistralOptions;
}
