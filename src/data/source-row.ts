/** One row as its file holds it, in whatever format: its place, its columns, and how to tell it from any other row. */
import type { RowPlace } from "./row-types.ts";

export interface SourceRow {
  readonly place: RowPlace;
  readonly value: Readonly<Record<string, unknown>>;
  /** Number columns as they are written: a double represents neither 1.10 nor 12345678901234567890. */
  readonly numbers: Readonly<Record<string, string>>;
  /** What the file itself says about the types of its columns, in a few words; only Parquet does. */
  readonly types?: Readonly<Record<string, string>>;
}

/** A row that has been found, but not yet read: one that cannot be read must not hide the others. */
export interface UnreadRow {
  readonly place: RowPlace;
  /** Throws RowsError. */
  readonly read: () => SourceRow;
  /** What identifies the row's content, for fingerprints. */
  readonly bytes: () => Buffer;
}
