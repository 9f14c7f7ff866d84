/** What a reward is given and what it gives back. No code. */
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
  /** Tokens of the response, the stop token included where there is one. */
  readonly tokens: readonly number[];
  readonly stopReason: StopReason;
}

/** One entry a row in every list. */
export interface Scores {
  /** The weighted sum of the components. A learned score that is not finite makes it so. */
  readonly score: number[];
  /** Each component's own value by name, before its weight; learned ones are normalised. */
  readonly components: Record<string, number[]>;
  /** By category, whether the response has one of its words. */
  readonly safety: Record<string, boolean[]>;
  /** By learned component, the share of its scores outside the reward model's training p1 to p99. */
  readonly outsideTraining: Record<string, number>;
  /** A sentence each for a person: all scores equal, scores that are not finite. */
  readonly warnings: string[];
}
