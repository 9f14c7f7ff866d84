/** The three kinds of rows that stages train on, and where each row was read. */
import type { Message } from "../text/index.ts";

/** A demonstration: the conversation up to the completion, and the completion. */
export interface SftRow {
  readonly prompt: readonly Message[];
  readonly completion: string;
  /** The completion is a whole text: no prompt, no chat template, and every token is trained on. */
  readonly plain?: true;
}

/** Two completions of one conversation; `chosen` is the preferred one. */
export interface PreferenceRow {
  readonly prompt: readonly Message[];
  readonly chosen: string;
  readonly rejected: string;
}

/** A conversation to be answered, with the right answer if there is one. */
export interface PromptRow {
  readonly prompt: readonly Message[];
  /** The right answer; null if there is none, or if it is a list or an object: verifiers compare texts. */
  readonly reference: string | null;
  /** The kind of row, by which reports group. */
  readonly kind?: string;
  /** Every column of a row that was read from a file, for the user's functions: under the file's names, and `reference` under Ballast's. */
  readonly columns?: Readonly<Record<string, unknown>>;
}

export interface RowPlace {
  readonly path: string;
  /** The line in which the row begins; in Parquet, which has no lines, the row. Counted from 1. */
  readonly line: number;
  /** Collects the row's faults if bad rows are left out; without it they are thrown. */
  readonly skipped?: { readonly faults: unknown[] };
}

/** Stored beside the rows, not in them: rows with the same content are equal wherever they were read. */
const places = new WeakMap<object, RowPlace>();

/** Remembers the row's place and returns the row itself. */
export function placed<Row extends object>(row: Row, place: RowPlace): Row {
  places.set(row, place);
  return row;
}

/** Where the row was read; null for a row that was generated. */
export function placeOf(row: object): RowPlace | null {
  return places.get(row) ?? null;
}
