/** Mistral (Jiang et al. 2023; Hugging Face's `MistralModel`), for sequences that its window holds: within it, a window changes nothing. */
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
  /** The file's, if the window is smaller: the context is then the window. */
  readonly max_position_embeddings?: number;
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
      const short = window !== null && window < sizes.context;
      const options: MistralOptions = {
        ...readOptions(file),
        rope_parameters: readRope(file),
        sliding_window: window,
        ...(short && { max_position_embeddings: sizes.context }),
      };
      return { ...sizes, ...(short && { context: window }), options: { ...options } };
    },
    write: (config) => {
      const { sliding_window, max_position_embeddings = config.context } = optionsOf(config);
      return { ...writeGatedRope(config), sliding_window, max_position_embeddings };
    },
  },
};

function optionsOf({ options }: DecoderConfig): MistralOptions {
  return options as unknown as MistralOptions;
}
