/**
 * An online run: what control, incidents, probes, the record and the page work on. It has signals, levers, models to keep and restore,
 * a state that checkpoints hold, and evidence for incidents; it does not know which algorithm learns.
 */

import type { Rule } from "../control/rules/rule.ts";
import type { Engine } from "../engine/engine.ts";
import type { RewardPipeline } from "../reward/index.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import type { RolloutRecord } from "../signals/index.ts";
import type { MetricValues } from "../types/records.ts";
import type { Control } from "./controller.ts";
import type { Measuring } from "./measuring.ts";
import type { OnlineModels, OnlineSources } from "./online-models.ts";
import type { OnlineState } from "./online-state.ts";
import type { Prompt, Rollout } from "./rollout.ts";
import type { StageContext } from "./stage-context.ts";
import type { StageLoop } from "./stage-loop.ts";
import type { FrozenFolders } from "./stage-models.ts";
import type { Stopwatch } from "./stopwatch.ts";

export interface OnlineInputs {
  readonly settings: PpoConfig;
  readonly sources: OnlineSources;
  /** What must stay as it is from start to end: the reference, reward models. */
  readonly frozen: FrozenFolders;
  /** Prompts to answer, encoded for the policy. */
  readonly prompts: readonly Prompt[];
  /** Opens the reward, given the models it may ask the engine for. Called once. */
  readonly openReward: (models: OnlineModels) => Promise<RewardPipeline>;
  /** Of the stability controller. */
  readonly rules: readonly Rule[];
  readonly measuring: Measuring;
  /** Who answers prompts in the run's place; without it the policy answers `prompts`. */
  readonly batches?: Batches;
}

/** Batches of responses that are handed to a run from outside, one an iteration. */
export interface Batches {
  /** Waits for the batch of an iteration; null if there are no more, and the run is done. Nothing of the iteration has happened by then. */
  next(run: Between, iteration: number): Promise<Rollout | null>;
}

/** A run between two iterations. */
export type Between = Omit<OnlineRun, "stopwatch" | "tell" | "handed">;

export interface OnlineRun {
  readonly context: StageContext;
  /** What the algorithm samples and learns with. Probes and checkpoints use the context's, in front of which no fault stands. */
  readonly engine: Engine;
  readonly inputs: OnlineInputs;
  readonly models: OnlineModels;
  readonly reward: RewardPipeline;
  readonly loop: StageLoop<PpoConfig, OnlineState>;
  readonly state: OnlineState;
  readonly control: Control;
  /** Of the random streams of this attempt. */
  readonly seed: number;
  /** The settings of an iteration, before schedules, controllers and interventions. */
  readonly settingsAt: (iteration: number) => PpoConfig;
  /** The prompts that an iteration answers. */
  readonly drawPrompts: (iteration: number, count: number) => Prompt[];
  /** The responses of this iteration, if they were handed in. */
  readonly handed: Rollout | null;
  readonly stopwatch: Stopwatch;
  /** Tells what is going on. */
  readonly tell: (message: string) => void;
}

/** A scored rollout with its advantages. Nothing of it has reached the weights. */
export interface Experience {
  readonly rollout: Rollout;
  readonly record: RolloutRecord;
  /** The KL coefficient that its rewards were made with. */
  readonly klCoef: number;
  /** What is known of it before the update. */
  readonly signals: MetricValues;
}
