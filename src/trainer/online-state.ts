/** What an online run carries from iteration to iteration beside its models. */

import { type ControlState, firstControlState } from "../control/state.ts";
import type { Sequence } from "../engine/engine.ts";
import { type ClipRange, clipRangeAt, type Rows } from "../rl/index.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import type { NoiseHistory, SignalHistory } from "../signals/index.ts";
import { CheckpointError } from "../util/errors.ts";
import { random } from "../util/random.ts";
import type { TargetProgress } from "./stop.ts";

/** The policy at its last probe: what it said, and how. */
export interface Probe {
  readonly iteration: number;
  /** Responses that it sampled, after their prompts. */
  readonly sequences: readonly Sequence[];
  readonly logprobs: Rows;
  readonly top1?: Rows;
  readonly greedy: Rows;
}

export interface OnlineState {
  /** In force; a controller or a person moves it. */
  klCoef: number;
  /** In force: the weight of KL(old, new) in the loss. */
  penaltyBeta: number;
  /** In force, where the clip has phases; else null. */
  clip: ClipRange | null;
  /** Steps that the slow critic has behind it. */
  slowCriticSteps: number;
  /** Optimizer steps skipped without a good one between them. */
  skippedInARow: number;
  history: SignalHistory | undefined;
  /** Of the gradient, as it was measured. */
  noise: NoiseHistory;
  /** The policy as it was last probed; null before it was. */
  probe: Probe | null;
  /** Share of passes of each gold check on the monitoring set when it was first measured; null before it was. */
  firstChecks: Readonly<Record<string, number>> | null;
  control: ControlState;
  /** Of `stop.when`. */
  targets: readonly TargetProgress[];
  /** The attempt that last rolled back, from which random streams go on; 0 before any did. */
  rolledBackIn: number;
  /** Iterations done at the checkpoint that it went back to. */
  rolledBackTo: number;
  /** Fingerprints of reference and reward models. */
  frozen: Readonly<Record<string, string>>;
  /** Of the user's reward functions. */
  rewardHash: string;
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
  };
}

/** Throws CheckpointError where a user's reward function is not the one that the run began with. */
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

/** The seed of rollouts and minibatches: the run's, or, after a rollback, one of (seed, attempt). */
export function seedOf({ rolledBackIn }: OnlineState, seed: number): number {
  return rolledBackIn === 0 ? seed : random(seed, "attempt", rolledBackIn).uint32();
}

/** The clip of the first iteration: null where it has no phases. */
export function firstClip(settings: PpoConfig): ClipRange | null {
  if (settings.clipSchedule === "constant") return null;
  const options = clipSettings(settings);
  return clipRangeAt({ ...options, iteration: 0, before: options.base });
}

/** What the phases of the clip are made from. */
export function clipSettings({ clipLow, clipHigh, clipWide, iterations }: PpoConfig) {
  return { base: { low: clipLow, high: clipHigh }, wide: clipWide, iterations };
}
