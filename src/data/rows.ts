/** The three kinds of rows that stages train on. */
import type { Message } from "../text/index.ts";

/** A demonstration: the conversation up to the completion, and the completion. */
export interface SftRow {
  readonly prompt: readonly Message[];
  readonly completion: string;
}

/** Two completions of one conversation, of which a person prefers `chosen`. */
export interface PreferenceRow {
  readonly prompt: readonly Message[];
  readonly chosen: string;
  readonly rejected: string;
}

/** A conversation to be answered, with the right answer where there is one. */
export interface PromptRow {
  readonly prompt: readonly Message[];
  readonly reference: string | null;
  /** Groups rows in reports. */
  readonly kind?: string;
}
