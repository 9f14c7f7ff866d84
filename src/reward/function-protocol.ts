/** The messages between the thread of a user's reward function and its owner. No code. */
import type { RewardStep, Scored } from "./reward-types.ts";

/** The argument of a user's function for one response. Columns of the row appear beside these names; columns with the same name are only in `row`. */
export interface FunctionInput extends Pick<Scored, "prompt" | "response" | "messages"> {
  /** The reference as a text; a list or an object is passed as it is. */
  readonly reference: unknown;
  /** Every column of the row, as it was read. */
  readonly row: Readonly<Record<string, unknown>>;
  readonly [column: string]: unknown;
}

/** What a function gives one response: a number, or steps, whose sum is its score. */
export type FunctionScore = number | { readonly steps: readonly RewardStep[] };

export interface FunctionCall {
  readonly id: number;
  /** One input, unless the function takes batches. */
  readonly inputs: readonly FunctionInput[];
}

export type FunctionReply =
  | { readonly kind: "ready"; readonly batch: boolean }
  /** The user's code printed a text. */
  | { readonly kind: "printed"; readonly text: string }
  /** The file cannot be loaded, or does not export a function. */
  | { readonly kind: "unusable"; readonly reason: string }
  /** The call's clock starts here: calls that wait for a busy thread do not count as late. */
  | { readonly kind: "started"; readonly id: number }
  | { readonly kind: "scores"; readonly id: number; readonly values: readonly FunctionScore[] }
  /** The function returned neither a number nor steps for the input at `index`; null: it did not return a list. */
  | { readonly kind: "other"; readonly id: number; readonly index: number | null; readonly what: string }
  | { readonly kind: "threw"; readonly id: number; readonly reason: string };
