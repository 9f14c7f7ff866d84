/** The state of an online run between iterations, besides its models. */

import { type ControlState, firstControlState } from "../control/state.ts";
import type { Sequence } from "../engine/engine.ts";
import { type ClipRange, clipRangeAt, type Rows } from "../rl/index.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import type { NoiseHistory, SignalHistory } from "../signals/index.ts";
import { CheckpointError } from "../util/errors.ts";
import { random } from "../util/random.ts";
import type { TargetProgress } from "./stop.ts";

/** The policy at its last probe: its responses, and their log-probabilities. */
export interface Probe {
  readonly iteration: number;
  /** Responses that the policy sampled, after their prompts. */
  readonly sequences: readonly Sequence[];
  readonly logprobs: Rows;
  readonly top1?: Rows;
  readonly greedy: Rows;
}

export interface OnlineState {
  /** The KL coefficient in force; a controller or an operator moves it. */
  klCoef: number;
  /** The weight of KL(old, new) in the loss, in force. */
  penaltyBeta: number;
  /** The clip in force, if it has phases; else null. */
  clip: ClipRange | null;
  /** Steps of the slow critic so far. */
  slowCriticSteps: number;
  /** Consecutive skipped optimizer steps. */
  skippedInARow: number;
  history: SignalHistory | undefined;
  /** Measurements of the gradient's noise. */
  noise: NoiseHistory;
  /** The policy at its last probe; null before the first. */
  probe: Probe | null;
  /** Share of passes of each gold check on the monitoring set at the first measurement; null before it. */
  firstChecks: Readonly<Record<string, number>> | null;
  control: ControlState;
  /** Progress towards the targets of `stop.when`. */
  targets: readonly TargetProgress[];
  /** The attempt that last rolled back, from which random streams continue; 0 if none has. */
  rolledBackIn: number;
  /** Iterations done at the checkpoint that it went back to. */
  rolledBackTo: number;
  /** Fingerprints of reference and reward models. */
  frozen: Readonly<Record<string, string>>;
  /** Hash of the user's reward functions. */
  rewardHash: string;
  /** The iteration in which the reward is examined, and its functions' scales are set: the first, or a fork's that changes it. */
  examineAt: number;
}

export function firstState(settings: PpoConfig): OnlineState {
  return {
    klCoef: settings.kl.coef,
    penaltyBeta: settings.penalty.beta,
    clip: firstClip(settings),
    slowCriticSteps: 0,
    skippedInARow: 0,
    history: undefined,
    noise: [],
    probe: null,
    firstChecks: null,
    control: firstControlState,
    targets: [],
    rolledBackIn: 0,
    rolledBackTo: 0,
    frozen: {},
    rewardHash: "",
    examineAt: 0,
  };
}

/** Throws CheckpointError if a user's reward function is not the one with which the run began. */
export function checkRewardHash(options: {
  readonly saved: string;
  readonly found: string;
  readonly settings: Pick<PpoConfig, "allowChangedReward">;
}): void {
  if (options.saved === options.found || options.settings.allowChangedReward) return;
  throw new CheckpointError(
    "the code of a reward function has changed since the checkpoint",
    "Restore the old code, or let the curve mix two rewards: ballast resume RUN --allow-changed-reward",
  );
}

/** The seed of rollouts and minibatches: the run's, or after a rollback one of (seed, attempt). */
export function seedOf({ rolledBackIn }: OnlineState, seed: number): number {
  return rolledBackIn === 0 ? seed : random(seed, "attempt", rolledBackIn).uint32();
}

/** The clip of the first iteration; null if it has no phases. */
function firstClip(settings: PpoConfig): ClipRange | null {
  if (settings.clipSchedule === "constant") return null;
  const options = clipSettings(settings);
  return clipRangeAt({ ...options, iteration: 0, before: options.base });
}

/** The settings for the phases of the clip. */
export function clipSettings({ clipLow, clipHigh, clipWide, iterations }: PpoConfig) {
  return { base: { low: clipLow, high: clipHigh }, wide: clipWide, iterations };
}
