/** What callers hand to the trainer and what they get back: options, progress, results, evaluations. No code. */

import type { Engine } from "../engine/engine.ts";
import type { Config } from "../settings/config-schema.ts";
import type { Evaluation } from "../types/evaluation.ts";
import type { MetricValues, Stage } from "../types/records.ts";
import type { Recorder } from "../types/run-recorder.ts";
import type { PreparedRows } from "./encoded-rows.ts";

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

export interface RunOptions {
  readonly config: Config;
  /** The run's own folder. It exists, and this process holds it. */
  readonly folder: string;
  readonly recorder: Recorder;
  readonly engine: Engine;
  /** Go on from what the folder holds; without it, a folder that holds a stage is refused. */
  readonly resume: boolean;
  readonly onProgress: (progress: Progress) => void;
  /** Asked between steps and between passes of the engine: true ends the run after its state is saved. */
  readonly interrupted: () => boolean;
  /** The rows, where the caller has read and encoded them already. */
  readonly prepared?: PreparedRows;
  /** Go on although rows have changed since the run began. */
  readonly allowChangedData?: boolean | undefined;
  /** Wait in this process for a person's decision on an incident. */
  readonly wait?: boolean;
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

export interface PipelineResult {
  /** In the order in which they ran. */
  readonly stages: readonly StageResult[];
  /** Folder of the last stage's model. */
  readonly final: string;
  /** Before and after PPO; null where the run has no PPO stage. */
  readonly evaluation: Evaluation | null;
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
