/** What is known of one iteration when it ends, as plain arrays: its signals are computed from this. */

import type { Mask, Rows } from "../rl/token-rows.ts";
import type { UpdateStatistics } from "../rl/update-statistics.ts";
import type { Verdicts } from "./gold-signals.ts";
import type { LayerGradients } from "./layer-signals.ts";

/** The B sequences of one rollout; per-token rows are aligned with the response tokens. */
export interface RolloutRecord {
  /** Prompt tokens. */
  readonly prompts: readonly (readonly number[])[];
  /** Response tokens, EOS included. */
  readonly responses: readonly (readonly number[])[];
  readonly stopReasons: readonly ("stop" | "length")[];
  readonly endsWithEos: readonly boolean[];
  readonly mask?: Mask | undefined;
  /** The sampling policy's log-probabilities; all log-probabilities are at the rollout's temperature. */
  readonly logprobs: Rows;
  readonly refLogprobs: Rows;
  /** The sampler's own log-probabilities; NaN for responses from elsewhere. */
  readonly samplerLogprobs?: Rows | undefined;
  /** Entropy of the sampling policy at each token, in nats; absent if the engine has none. */
  readonly entropy?: Rows | undefined;
  /** The online critic's values before the update; absent without a critic. */
  readonly values?: Rows | undefined;
  readonly returns?: Rows | undefined;
  /** Token rewards from which the advantages were computed. */
  readonly rewards: Rows;
  readonly advantagesRaw: Rows;
  /** Advantages as the loss saw them: whitened, or divided by the spread of a group, if that is on. */
  readonly advantages: Rows;
  /** Composed scores: normalised and weighted, before clipping and the penalty for a missing EOS. */
  readonly scores: readonly number[];
  /** Raw scores of each reward component by name. */
  readonly components: Readonly<Record<string, readonly number[]>>;
  /** Names of the components whose scores come from a model. */
  readonly learned?: readonly string[] | undefined;
  /** Verdicts of the task's gold check, one entry per response, if the task has one. */
  readonly verdicts?: readonly Verdicts[] | undefined;
  /** Whether each response trips the safety filter, by the filter's category. */
  readonly safety: Readonly<Record<string, readonly boolean[]>>;
  /** The reference's log-probabilities on fixed probes, if they were computed. */
  readonly probeRefLogprobs?: Rows | undefined;
}

/** One minibatch of the update: one step of the policy's optimizer and, if there is a critic, one of the critic's. */
export interface MinibatchRecord {
  /** The epoch, counted from 0. */
  readonly epoch: number;
  readonly statistics: UpdateStatistics;
  /** The policy loss as the engine returned it, including the entropy bonus and a KL in the loss. */
  readonly policyLoss: number;
  /** Figures of the value loss; absent without a critic. */
  readonly valueLoss?: number | undefined;
  readonly valueClipFraction?: number | undefined;
  /** Root mean square over tokens of the critic's value before this step less that at the rollout; absent without a critic. */
  readonly valueChange?: number | undefined;
  /** The policy's global gradient norm before clipping, of both losses with a shared trunk; null if no step was taken. */
  readonly policyGradNorm: number | null;
  /** The critic's global gradient norm before clipping; null if the trunk is shared or no step was taken. */
  readonly criticGradNorm: number | null;
  /** Gradient figures by parameter group; absent if no step was taken, and for a critic that shares the trunk. */
  readonly policyLayers?: LayerGradients | undefined;
  readonly criticLayers?: LayerGradients | undefined;
  /** Whether the controller dropped this minibatch's policy gradient. */
  readonly masked: boolean;
  /** Whether a step of the policy or the critic was skipped because its gradient was not finite. */
  readonly skipped: boolean;
}

/** What is known of an iteration before its update. */
export interface RolloutView {
  readonly rollout: RolloutRecord;
  /** The settings in force. */
  readonly settings: {
    readonly klIn: "reward" | "loss";
    readonly klCoef: number;
    readonly scoreClip: number | null;
    readonly missingEosPenalty: number;
    readonly maxGradNorm: number | null;
    /** The clip of the value loss; absent or null if there is none. */
    readonly valueClip?: number | null | undefined;
  };
  /** Signals of earlier iterations, oldest first; absent or empty at the first. */
  readonly history?: SignalHistory | undefined;
}

export interface IterationRecord extends RolloutView {
  /** The minibatches in the order in which they ran. */
  readonly minibatches: readonly MinibatchRecord[];
  /** The minibatch that ended the update early: its KL was measured, but no step was taken. */
  readonly endedBy?: { readonly epoch: number; readonly statistics: UpdateStatistics } | undefined;
  /** Measured by one more pass after the last step; absent if there was none. */
  readonly after?: UpdateStatistics | undefined;
  /** Largest |ratio - 1| on the first minibatch of the update, before any step (docs/PPO.md row 21). */
  readonly firstRatioDeviation: number;
}

export interface SignalHistory {
  /** `entropy/mean` of iteration 0; absent without entropies. */
  readonly firstEntropyMean?: number | undefined;
  /** `entropy/mean` of each earlier iteration; the last nine are enough. */
  readonly entropyMeans: readonly number[];
  /** `reward/score_mean` of each earlier iteration; the last nine are enough. */
  readonly scoreMeans: readonly number[];
}

/** Iterations over which slopes are taken, this one included (ten, as docs/metrics.md says). */
export const slopeWindow = 10;
