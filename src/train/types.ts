/** What callers hand to the trainer and what they get back: options, progress, results, evaluations. No code. */
import type { Config } from "../config/schema.ts";
import type { Engine } from "../engine/engine.ts";
import type { MetricValues, Recorder, Stage } from "../types/records.ts";

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

/**
 * A mean over samples with its 95% interval, whose clusters are the distinct prompts: Wilson's for shares, normal for other
 * numbers (src/rl/interval.ts).
 */
export interface Estimate {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  /** Samples the mean is over. */
  readonly n: number;
  /** Prompts among them that differ; absent in evaluations of earlier versions. */
  readonly distinctPrompts?: number;
  /** The same under greedy decoding, over `greedyN` prompts; absent where it means nothing. */
  readonly greedy?: number;
  readonly greedyN?: number;
}

/**
 * Figures of one model by name: the task's gold checks (`sums`, `asksBack`, `refuses`, `brief`; shares of the samples
 * to which they apply), then `reward` (the composed score, normalised), `klK3Token`, `klK1Sequence` (nats, to the
 * reference), `length` (tokens, EOS included) and `entropy` (nats per token). What cannot be measured is absent.
 */
export interface ModelEvaluation {
  readonly folder: string;
  readonly figures: Readonly<Record<string, Estimate>>;
}

/** After minus before on the same prompts and random streams, with a 95% interval whose clusters are the distinct prompts. */
export interface PairedDifference {
  readonly difference: number;
  readonly low: number;
  readonly high: number;
}

export interface Transcript {
  readonly kind: string;
  readonly prompt: string;
  /** null where there is no model before. */
  readonly before: string | null;
  readonly after: string;
}

export interface Evaluation {
  readonly objective: string;
  readonly samples: number;
  /** Prompts that differ among those of the samples; absent in evaluations of earlier versions. */
  readonly distinctPrompts?: number;
  readonly temperature: number;
  readonly seed: number;
  /** Names of figures that are shares, from 0 to 1. */
  readonly shares: readonly string[];
  readonly before: ModelEvaluation | null;
  readonly after: ModelEvaluation;
  /** By figure; empty without a model before. */
  readonly differences: Readonly<Record<string, PairedDifference>>;
  /** Sampled at the same temperature, from prompts of every kind in turn. */
  readonly transcripts: readonly Transcript[];
  /** True where the policy trained on these prompts: what it shows is no more than memory. */
  readonly seenInTraining?: boolean;
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
