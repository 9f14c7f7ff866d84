/** What the thread of a user's reward function and its owner say to each other. No code. */
import type { Scored } from "./types.ts";

/** What the user's function is given. */
export type FunctionInput = Pick<Scored, "prompt" | "response" | "reference" | "messages">;

export interface FunctionCall {
  readonly id: number;
  readonly input: FunctionInput;
}

export type FunctionReply =
  | { readonly kind: "ready" }
  /** What the user's code printed. */
  | { readonly kind: "printed"; readonly text: string }
  /** The file does not load, or exports no function. */
  | { readonly kind: "unusable"; readonly reason: string }
  /** The clock of the call starts: calls that wait for a busy thread are not late. */
  | { readonly kind: "started"; readonly id: number }
  | { readonly kind: "number"; readonly id: number; readonly value: number }
  /** It returned something else than a number. */
  | { readonly kind: "other"; readonly id: number; readonly what: string }
  | { readonly kind: "threw"; readonly id: number; readonly reason: string };
