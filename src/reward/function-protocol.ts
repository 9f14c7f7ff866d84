/** What the thread of a user's reward function and its owner say to each other. No code. */
import type { Scored } from "./reward-types.ts";

/**
 * What the user's function is given for one response. Columns of the row that have none of these names stand beside them; those
 * that have one are in `row`.
 */
export interface FunctionInput extends Pick<Scored, "prompt" | "response" | "messages"> {
  /** As a text; a reference that is a list or an object is that. */
  readonly reference: unknown;
  /** Every column of the row, as it was read. */
  readonly row: Readonly<Record<string, unknown>>;
  readonly [column: string]: unknown;
}

export interface FunctionCall {
  readonly id: number;
  /** One, unless the function takes batches. */
  readonly inputs: readonly FunctionInput[];
}

export type FunctionReply =
  | { readonly kind: "ready"; readonly batch: boolean }
  /** What the user's code printed. */
  | { readonly kind: "printed"; readonly text: string }
  /** The file does not load, or exports no function. */
  | { readonly kind: "unusable"; readonly reason: string }
  /** The clock of the call starts: calls that wait for a busy thread are not late. */
  | { readonly kind: "started"; readonly id: number }
  | { readonly kind: "numbers"; readonly id: number; readonly values: readonly number[] }
  /** It returned something else than a number for the input at `index`; null: something else than a list. */
  | { readonly kind: "other"; readonly id: number; readonly index: number | null; readonly what: string }
  | { readonly kind: "threw"; readonly id: number; readonly reason: string };
