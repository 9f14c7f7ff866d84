/** The input and output of a reward. No code. */
import type { StopReason } from "../engine/engine.ts";
import type { Message } from "../text/index.ts";

/** One response to one prompt. */
export interface Scored {
  /** The prompt as text; `messages` has its roles. */
  readonly prompt: string;
  readonly messages: readonly Message[];
  /** The response as text, without special tokens. */
  readonly response: string;
  /** The reference answer of the prompt's row. */
  readonly reference: string | null;
  /** Every column of the prompt's row. */
  readonly columns?: Readonly<Record<string, unknown>> | undefined;
  readonly promptTokens: readonly number[];
  /** Tokens of the response, including the stop token if there is one. */
  readonly tokens: readonly number[];
  readonly stopReason: StopReason;
}

/** What a step of a response earns. */
export interface RewardStep {
  /** Characters (UTF-16) of the response up to the end of the step: where the reward is placed. */
  readonly end: number;
  readonly reward: number;
}

/** Scores of a batch; every list has one entry per row. */
export interface Scores {
  /** The weighted sum of the components; not finite if a learned score is not. */
  readonly score: number[];
  /** Each component's own value by name, before its weight; learned ones are normalised. */
  readonly components: Record<string, number[]>;
  /** By category, whether the response contains one of its words. */
  readonly safety: Record<string, boolean[]>;
  /** By learned component, the share of its scores outside the range from p1 to p99 of the reward model's training. */
  readonly outsideTraining: Record<string, number>;
  /** The steps of each response with their rewards, weighted, which are part of its score; absent if no component rewards steps. */
  readonly steps?: readonly (readonly RewardStep[])[];
  /** One sentence for each warning: all scores equal, scores that are not finite. */
  readonly warnings: string[];
}
