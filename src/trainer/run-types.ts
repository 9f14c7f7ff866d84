/** What stages tell and leave behind: progress, results, answers. No code. */
import type { MetricValues, Stage } from "../types/records.ts";

export interface Progress {
  readonly stage: Stage;
  /** Steps (samples) done. */
  readonly step: number;
  readonly steps: number;
  readonly unit: "step" | "iteration" | "sample";
  /** What is going on inside a long step, in a few words. */
  readonly message?: string;
  /** The newest metrics, by the keys of docs/metrics.md. */
  readonly values: MetricValues;
}

/** What one finished stage left behind. */
export interface StageResult {
  readonly stage: Stage;
  /** A Hugging Face folder: config.json, model.safetensors, tokenizer.json, tokenizer_config.json. */
  readonly folder: string;
  /** Steps, or iterations of PPO. */
  readonly steps: number;
  /** How many it was to have; more than `steps` if it ended at its target. */
  readonly of?: number;
  /** The last metrics, and what was measured at the end. */
  readonly values: MetricValues;
}

/** What one model answered to one prompt. */
export interface Generation {
  readonly prompt: string;
  readonly response: string;
  readonly stopReason: "stop" | "length";
  /** Tokens of the response, EOS included. */
  readonly tokens: number;
  /** Sum of its log-probabilities, in nats. */
  readonly logprob: number;
}
