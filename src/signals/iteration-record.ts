/** What is known of one iteration when it ends, as plain arrays: what its signals are computed from. */

import type { Mask, Rows } from "../rl/token-rows.ts";
import type { UpdateStatistics } from "../rl/update-statistics.ts";
import type { Verdicts } from "./gold-signals.ts";
import type { LayerGradients } from "./layer-signals.ts";

/** B sequences of one rollout; per-token rows are aligned with the response tokens. */
export interface RolloutRecord {
  /** Prompt tokens. */
  readonly prompts: readonly (readonly number[])[];
  /** Response tokens, EOS included. */
  readonly responses: readonly (readonly number[])[];
  readonly stopReasons: readonly ("stop" | "length")[];
  readonly endsWithEos: readonly boolean[];
  readonly mask?: Mask | undefined;
  /** Of the policy that sampled; all log-probabilities at the rollout's temperature. */
  readonly logprobs: Rows;
  readonly refLogprobs: Rows;
  /** Entropy of the policy that sampled, in nats. */
  readonly entropy: Rows;
  /** Of the online critic, before the update; left out without a critic. */
  readonly values?: Rows | undefined;
  readonly returns?: Rows | undefined;
  /** Token rewards as the advantages were made from them. */
  readonly rewards: Rows;
  readonly advantagesRaw: Rows;
  /** As the loss saw them: whitened, or divided by the spread of a group, where that is on. */
  readonly advantages: Rows;
  /** Composed scores: normalised and weighted, before clipping and the penalty for a missing EOS. */
  readonly scores: readonly number[];
  /** Raw scores of each component by name. */
  readonly components: Readonly<Record<string, readonly number[]>>;
  /** Names of the components that a model gives. */
  readonly learned?: readonly string[] | undefined;
  /** Of the task's gold check, one entry a response, where the task has one. */
  readonly verdicts?: readonly Verdicts[] | undefined;
  /** By category of the safety filter, whether a response trips it. */
  readonly safety: Readonly<Record<string, readonly boolean[]>>;
  /** The reference's log-probabilities on fixed probes, where they were computed. */
  readonly probeRefLogprobs?: Rows | undefined;
}

/** One minibatch of the update: one step of the policy's optimizer and, if there is a critic, one of the critic's. */
export interface MinibatchRecord {
  /** 0 is the first. */
  readonly epoch: number;
  readonly statistics: UpdateStatistics;
  /** As the engine returned it: entropy bonus and KL in the loss included. */
  readonly policyLoss: number;
  /** Both left out without a critic. */
  readonly valueLoss?: number | undefined;
  readonly valueClipFraction?: number | undefined;
  /** Global norm before clipping; with a shared trunk, of both losses together; null where no step was taken. */
  readonly policyGradNorm: number | null;
  /** null where the trunk is shared, or no step was taken. */
  readonly criticGradNorm: number | null;
  /** By parameter group; left out where no step was taken, and for a critic that shares the trunk. */
  readonly policyLayers?: LayerGradients | undefined;
  readonly criticLayers?: LayerGradients | undefined;
  /** The controller dropped the policy's gradient of it. */
  readonly masked: boolean;
  /** A step of policy or critic was skipped for a gradient that is not finite. */
  readonly skipped: boolean;
}

/** What is known of an iteration before its update. */
export interface RolloutView {
  readonly rollout: RolloutRecord;
  /** Settings in force. */
  readonly settings: {
    readonly klIn: "reward" | "loss";
    readonly klCoef: number;
    readonly scoreClip: number | null;
    readonly missingEosPenalty: number;
    readonly maxGradNorm: number | null;
  };
  /** From iterations before this one, oldest first; left out, or empty, at the first. */
  readonly history?: SignalHistory | undefined;
}

export interface IterationRecord extends RolloutView {
  /** In the order in which they ran. */
  readonly minibatches: readonly MinibatchRecord[];
  /** The minibatch that ended the update early: its KL was measured, and no step was taken. */
  readonly endedBy?: { readonly epoch: number; readonly statistics: UpdateStatistics } | undefined;
  /** Largest |ratio - 1| on the first micro-batch of the update, before any step: PPO.md row 21. */
  readonly firstRatioDeviation: number;
}

export interface SignalHistory {
  /** `entropy/mean` of iteration 0. */
  readonly firstEntropyMean: number;
  /** `entropy/mean` of each earlier iteration; the last nine are enough. */
  readonly entropyMeans: readonly number[];
  /** `reward/score_mean` of each earlier iteration; the last nine are enough. */
  readonly scoreMeans: readonly number[];
}

/** Iterations over which slopes are taken, this one included: CONTROL.md's "over 10". */
export const slopeWindow = 10;
