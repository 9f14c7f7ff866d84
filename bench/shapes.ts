/** The shapes of an iteration that are measured, here and with the peer. */
import type { ModelConfig } from "../src/engine/engine.ts";
import { withDefaultOptions } from "../src/models/family.ts";

export interface BenchShape {
  readonly algorithm: "ppo" | "grpo";
  /** Responses to a prompt, of GRPO; 0 for PPO. */
  readonly group: number;
  readonly sequences: number;
  /** Tokens of every prompt, and the most tokens of a response. */
  readonly prompt: number;
  readonly response: number;
  readonly epochs: number;
  readonly minibatches: number;
  /** Iterations of a measurement; the first is not counted. */
  readonly iterations: number;
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly vocabulary: number;
  /** Heads of keys and values, and the width inside a gated MLP, of a Llama; both 0 for a GPT-2. */
  readonly kvHeads: number;
  readonly innerWidth: number;
  /** Rank of the adapters that Ballast trains; 0 trains all weights, as TRL always does here. */
  readonly lora: number;
  /** The ids below this end a response: with random weights, one token in vocabulary / stops. */
  readonly stops: number;
}

const llama: BenchShape = {
  ...{ algorithm: "ppo", group: 0 },
  ...{ sequences: 8, prompt: 16, response: 48, epochs: 4, minibatches: 4, iterations: 3 },
  ...{ layers: 30, width: 576, heads: 9, vocabulary: 49_152, stops: 0 },
  ...{ kvHeads: 3, innerWidth: 1536, lora: 16 },
};

const small: BenchShape = {
  ...{ algorithm: "ppo", group: 0 },
  ...{ sequences: 64, prompt: 16, response: 48, epochs: 4, minibatches: 4, iterations: 4 },
  ...{ layers: 4, width: 256, heads: 4, vocabulary: 512, stops: 0 },
  ...{ kvHeads: 0, innerWidth: 0, lora: 0 },
};

export const shapes = {
  /** 3.3 million parameters. */
  small,
  /** The same with responses of 8 tokens on average, about as long as the help desk's. */
  stopping: { ...small, stops: 64 },
  /** GPT-2's smallest size, 124 million parameters. */
  gpt2: {
    ...small,
    ...{ sequences: 8, prompt: 16, response: 48, epochs: 4, minibatches: 4, iterations: 3 },
    ...{ layers: 12, width: 768, heads: 12, vocabulary: 50_257 },
  },
  /** SmolLM-135M's shape, with adapters here and all weights in TRL. */
  llama,
  /** The same with all weights trained here, too. */
  llamaFull: { ...llama, lora: 0 },
  /** GRPO on the small model: one epoch, as in its paper. */
  grpo: { ...small, algorithm: "grpo", group: 8, epochs: 1 },
  /** GRPO on Qwen2.5-0.5B's sizes, 494 million parameters: for a GPU. */
  grpoHalf: {
    ...{ ...llama, algorithm: "grpo", group: 8, lora: 0, epochs: 1 },
    ...{ sequences: 64, prompt: 128, response: 256 },
    ...{ layers: 24, width: 896, heads: 14, kvHeads: 2, innerWidth: 4864, vocabulary: 151_936 },
  },
} as const satisfies Readonly<Record<string, BenchShape>>;

export type ShapeName = keyof typeof shapes;

export function modelOf(shape: BenchShape): ModelConfig {
  const { vocabulary, prompt, response, width, layers, heads, kvHeads, innerWidth } = shape;
  const sizes = { vocabularySize: vocabulary, context: prompt + response, width, layers, heads, tieEmbeddings: true };
  return kvHeads === 0
    ? { family: "gpt2", ...sizes }
    : withDefaultOptions({ family: "llama", ...sizes, kvHeads, innerWidth });
}
