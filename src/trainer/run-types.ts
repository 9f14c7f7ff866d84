/** What stages report and produce: progress, results, answers. No code. */
import type { MetricValues, Stage } from "../types/records.ts";

export interface Progress {
  readonly stage: Stage;
  /** Steps (rows, samples) done. */
  readonly step: number;
  readonly steps: number;
  /** `row`: rows are encoded before anything is trained. `sample`: a model is evaluated. */
  readonly unit: "row" | "step" | "iteration" | "sample";
  /** What is happening inside a long step, in a few words. */
  readonly message?: string;
  /** How far that is, in parts of a call of the engine. */
  readonly part?: ProgressPart | undefined;
  /** The newest metrics, by the keys of docs/metrics.md. */
  readonly values: MetricValues;
}

/** Tokens of a call that samples, of as many as it may come to; or passes of one that computes. */
export interface ProgressPart {
  readonly done: number;
  readonly of: number;
  readonly unit: "token" | "pass";
}

/** The result of a finished stage. */
export interface StageResult {
  readonly stage: Stage;
  /** A Hugging Face folder: configuration, weights, tokenizer. */
  readonly folder: string;
  /** Steps, or iterations of PPO, done. */
  readonly steps: number;
  /** The planned length; more than `steps` if the stage ended at its target. */
  readonly of?: number;
  /** The last metrics, and the measurements at the end. */
  readonly values: MetricValues;
}

/** One model's answer to one prompt. */
export interface Generation {
  readonly prompt: string;
  readonly response: string;
  readonly stopReason: "stop" | "length";
  /** Number of tokens in the response, EOS included. */
  readonly tokens: number;
  /** Sum of the response's log-probabilities, in nats. */
  readonly logprob: number;
}
