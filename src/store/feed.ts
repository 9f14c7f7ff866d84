/** Pages through the rows of one table of a run from a cursor. */
import type { Stage } from "../types/records.ts";
import type { Connection, Parameter } from "./connection.ts";
import type { Feed, FeedQuery, RowHead } from "./stored-rows.ts";

/** The columns that every recorded row has. */
export interface StoredHead {
  readonly seq: number;
  readonly attempt: number;
  readonly stage: Stage;
  readonly iteration: number;
  readonly superseded: number;
}

interface FeedSource<Stored, Row> {
  readonly table: "metrics" | "events" | "settings" | "samples" | "consultations";
  /** SQL that ends in a condition; takes `parameters`, then the cursor, then `more`. */
  readonly sql: string;
  readonly parameters: readonly Parameter[];
  readonly more?: readonly Parameter[];
  readonly convert: (row: Stored) => Row;
}

/** Rows past the cursor, and the cursor for the next call. */
export function readFeed<Stored extends StoredHead, Row extends RowHead>(
  connection: Connection,
  { table, sql, parameters, more = [], convert }: FeedSource<Stored, Row>,
  { after = 0, limit = 10_000, current = false }: FeedQuery = {},
): Feed<Row> {
  return connection.read(() => {
    const rows = connection
      .all<Stored>(`${sql}${current ? " AND NOT superseded" : ""} ORDER BY seq LIMIT ?`, [
        ...parameters,
        after,
        ...more,
        limit,
      ])
      .map(convert);
    if (rows.length === limit) return { rows, cursor: rows[rows.length - 1]!.seq };
    // Past other runs' rows too, so that the next call need not scan them again.
    const newest = connection.get<{ seq: number | null }>(`SELECT max(seq) AS seq FROM ${table}`)!.seq;
    return { rows, cursor: Math.max(after, newest ?? 0) };
  });
}

export function headOf(row: StoredHead): RowHead {
  const { seq, attempt, stage, iteration } = row;
  return { seq, attempt, stage, iteration, superseded: row.superseded === 1 };
}
