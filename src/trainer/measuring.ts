/** What a run is measured on beside its own prompts. No code. */
import type { Scored } from "../reward/index.ts";
import type { GoldCheck } from "./evaluate.ts";
import type { Prompt } from "./rollout.ts";

/** What a run is measured on; everything but its own prompts may be missing. */
export interface Measuring {
  /** The task's gold check of the prompts that train. */
  readonly check: GoldCheck | null;
  /** Prompts that no stage trains on and no report uses; empty where there are none. */
  readonly monitor: readonly Prompt[];
  readonly monitorCheck: GoldCheck | null;
  /** Held-out pairs; empty where there are none, and where no part of the reward is learned. */
  readonly pairs: readonly { readonly chosen: Scored; readonly rejected: Scored }[];
  /** Responses with the mean of what people gave them; empty where there are none. */
  readonly ratings: readonly { readonly scored: Scored; readonly rating: number }[];
}
