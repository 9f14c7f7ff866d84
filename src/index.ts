/**
 * Ballast as a library: whole runs (`train`, `openRun`), the loop known from TRL (`PPOTrainer`), and the bare engine (`openEngine`). docs/library.md
 * shows each.
 */
export type { Engine } from "./engine/engine.ts";
export { openEngine } from "./engine/index.ts";
export { type BallastSettings, PPOConfig, type PPOConfigOptions } from "./library/ppo-config.ts";
export { type GenerationOptions, PPOTrainer } from "./library/ppo-trainer.ts";
export {
  AutoModelForCausalLM,
  AutoModelForCausalLMWithValueHead,
  AutoTokenizer,
  type PretrainedModel,
  type PretrainedTokenizer,
} from "./library/pretrained.ts";
export { openRun, type ProgramRun, type RunProgramOptions, type RunSource, train } from "./library/train.ts";
export type { RunListener, RunNote, TrainedRun } from "./run/open-run.ts";
export type { PipelineResult } from "./run/pipeline.ts";
export type { Config, ConfigInput } from "./settings/config-schema.ts";
export { buildTokenizer, loadTokenizer, type Message, type Tokenizer } from "./text/index.ts";
export type { Progress, StageResult } from "./trainer/run-types.ts";
export type { EventRecord, MetricValues, RunState, Stage } from "./types/records.ts";
export * from "./util/errors.ts";
