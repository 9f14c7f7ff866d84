/**
 * An online run: the interface on which control, incidents, probes, the record and the page work. It has signals, levers, models to keep and restore,
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
import type { ProgressPart } from "./run-types.ts";
import type { StageContext } from "./stage-context.ts";
import type { StageLoop } from "./stage-loop.ts";
import type { FrozenFolders } from "./stage-models.ts";
import type { Stopwatch } from "./stopwatch.ts";

export interface OnlineInputs {
  readonly settings: PpoConfig;
  readonly sources: OnlineSources;
  /** Folders that must not change during the run: the reference and reward models. */
  readonly frozen: FrozenFolders;
  /** Prompts to answer, encoded for the policy. */
  readonly prompts: readonly Prompt[];
  /** Opens the reward, given the models that it may use in the engine. Called once. */
  readonly openReward: (models: OnlineModels) => Promise<RewardPipeline>;
  /** The stability controller's rules. */
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
  /** The engine with which the algorithm samples and learns. Probes and checkpoints use the context's, which no fault wraps. */
  readonly engine: Engine;
  readonly inputs: OnlineInputs;
  readonly models: OnlineModels;
  readonly reward: RewardPipeline;
  readonly loop: StageLoop<PpoConfig, OnlineState>;
  readonly state: OnlineState;
  readonly control: Control;
  /** The seed of this attempt's random streams. */
  readonly seed: number;
  /** The settings of an iteration, before schedules, controllers and interventions. */
  readonly settingsAt: (iteration: number) => PpoConfig;
  /** Draws the prompts that an iteration answers. */
  readonly drawPrompts: (iteration: number, count: number) => Prompt[];
  /** The responses of this iteration, if they were handed in. */
  readonly handed: Rollout | null;
  readonly stopwatch: Stopwatch;
  /** Reports what is going on, and how far it is. */
  readonly tell: (message: string, part?: ProgressPart) => void;
}

/** A scored rollout with its advantages, before anything of it has reached the weights. */
export interface Experience {
  readonly rollout: Rollout;
  readonly record: RolloutRecord;
  /** The KL coefficient used in its rewards. */
  readonly klCoef: number;
  /** The signals known before the update. */
  readonly signals: MetricValues;
}
