/** What a run is measured on besides its own prompts. No code. */
import type { Scored } from "../reward/index.ts";
import type { GoldCheck } from "./evaluate.ts";
import type { Prompt } from "./rollout.ts";

/** A gold check as a run uses it. */
export interface MeasuredGold {
  readonly check: GoldCheck;
  /** Whether every rollout is judged; else only the monitoring set is. */
  readonly everyRollout: boolean;
  /** Whether it differs from the reward: one that is part of the reward cannot show what games it. */
  readonly independent: boolean;
}

/** The inputs of a run's measurements; all of them are optional. */
export interface Measuring {
  /** The gold check; null without one. */
  readonly gold: MeasuredGold | null;
  /** Prompts for monitoring, which no stage trains on unless there are too few to hold any out; may be empty. */
  readonly monitor: readonly Prompt[];
  /** Held-out pairs; empty if there are none, and if no part of the reward is learned. */
  readonly pairs: readonly { readonly chosen: Scored; readonly rejected: Scored }[];
  /** Responses with the mean of their human ratings; may be empty. */
  readonly ratings: readonly { readonly scored: Scored; readonly rating: number }[];
}
