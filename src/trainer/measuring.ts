/** What a run is measured on besides its own prompts. No code. */
import type { Scored } from "../reward/index.ts";
import type { GoldCheck } from "./evaluate.ts";
import type { Prompt } from "./rollout.ts";

/** The inputs of a run's measurements; all of them are optional. */
export interface Measuring {
  /** The task's gold check for the training prompts. */
  readonly check: GoldCheck | null;
  /** Prompts that no stage trains on and no report uses; may be empty. */
  readonly monitor: readonly Prompt[];
  readonly monitorCheck: GoldCheck | null;
  /** Held-out pairs; empty if there are none, and if no part of the reward is learned. */
  readonly pairs: readonly { readonly chosen: Scored; readonly rejected: Scored }[];
  /** Responses with the mean of their human ratings; may be empty. */
  readonly ratings: readonly { readonly scored: Scored; readonly rating: number }[];
}
