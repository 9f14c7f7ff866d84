/** The three kinds of rows that stages train on, and where each row was read. */
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
  /** null if there is none, or one that is a list or an object: verifiers compare texts. */
  readonly reference: string | null;
  /** Groups rows in reports. */
  readonly kind?: string;
  /** Of a row that was read every column, for the user's functions: under the file's names, and `reference` under ours. */
  readonly columns?: Readonly<Record<string, unknown>>;
}

export interface RowPlace {
  readonly path: string;
  /** Counted from 1. */
  readonly line: number;
}

/** Beside the rows, not in them: rows that say the same are equal wherever they stood. */
const places = new WeakMap<object, RowPlace>();

/** The row itself, whose place is remembered. */
export function placed<Row extends object>(row: Row, place: RowPlace): Row {
  places.set(row, place);
  return row;
}

/** null for a row that was made, not read. */
export function placeOf(row: object): RowPlace | null {
  return places.get(row) ?? null;
}
