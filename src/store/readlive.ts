/** Queries for readers that follow a workspace as it is written: where its tables end, and what was added after a cursor, over several runs. */
import type { EventKind, Stage } from "../types/records.ts";
import type { Connection } from "./connection.ts";
import { superseded } from "./database-schema.ts";
import { decodeJson, decodeText, numberOf } from "./encode-value.ts";
import type { EventRow, MetricRow } from "./stored-rows.ts";

type Text = string | Uint8Array;

/** The newest `seq` of the tables that are followed. */
export interface Ends {
  readonly metrics: number;
  readonly events: number;
}

export interface NewRows<Row> {
  readonly runs: readonly string[];
  /** Only rows with a larger `seq` than this. */
  readonly after: number;
  /** Only rows with a `seq` up to this. */
  readonly upTo: number;
  readonly visit: (runId: string, row: Row) => void;
}

export function readEnds(connection: Connection): Ends {
  return connection.get<{ metrics: number; events: number }>(
    `SELECT coalesce((SELECT max(seq) FROM metrics), 0) AS metrics, coalesce((SELECT max(seq) FROM events), 0) AS events`,
  )!;
}

/** Visits metrics of these runs, in the order of commits. */
export function readNewMetrics(connection: Connection, { runs, after, upTo, visit }: NewRows<MetricRow>): void {
  // CROSS JOIN fixes the order of the loops: first the new rows, then the series of each.
  const sql = `SELECT m.seq, s.run_id, s.attempt, s.stage, m.iteration, s.key, m.value, m.flag, ${superseded("s", "m.iteration")}
    FROM metrics AS m CROSS JOIN series AS s ON s.id = m.series
    WHERE m.seq > ? AND m.seq <= ? AND s.run_id IN (SELECT value FROM json_each(?)) ORDER BY m.seq`;
  for (const row of connection.all<{
    seq: number;
    run_id: string;
    attempt: number;
    stage: Stage;
    iteration: number;
    key: Text;
    value: number | null;
    flag: number;
    superseded: number;
  }>(sql, [after, upTo, JSON.stringify(runs)])) {
    const { seq, attempt, stage, iteration } = row;
    const head = { seq, attempt, stage, iteration, superseded: row.superseded === 1 };
    visit(row.run_id, { ...head, key: decodeText(row.key), value: numberOf(row.value, row.flag) });
  }
}

/** Visits events of these runs, in the order of commits. */
export function readNewEvents(connection: Connection, { runs, after, upTo, visit }: NewRows<EventRow>): void {
  const sql = `SELECT * FROM event_rows
    WHERE seq > ? AND seq <= ? AND +run_id IN (SELECT value FROM json_each(?)) ORDER BY seq`;
  for (const row of connection.all<StoredEvent>(sql, [after, upTo, JSON.stringify(runs)]))
    visit(row.run_id, eventOf(row));
}

export interface EventsBefore {
  readonly before: number;
  readonly limit: number;
  /** False leaves out notes, checkpoints and alerts of tier 3: most events, but few that matter. */
  readonly notes?: boolean;
}

/** The newest events of a run before a `seq`, oldest first. */
export function readEventsBefore(
  connection: Connection,
  { runId, before, limit, notes = true }: EventsBefore & { readonly runId: string },
): EventRow[] {
  const matters = `kind NOT IN ('note', 'checkpoint')
    AND (kind <> 'alert' OR json_extract(data, '$.alert.tier') IS NOT 3)`;
  const sql = `SELECT * FROM event_rows WHERE run_id = ? AND seq < ? ${notes ? "" : `AND ${matters}`}
    ORDER BY seq DESC LIMIT ?`;
  return connection.all<StoredEvent>(sql, [runId, before, limit]).reverse().map(eventOf);
}

/** Whether an attempt has begun after this `seq` of metrics, superseding iterations of an earlier one. */
export function readTakenOver(connection: Connection, runId: string, after: number): boolean {
  const sql = `SELECT 1 FROM attempts AS a WHERE run_id = ? AND attempt > 1 AND stage IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM spans WHERE run_id = a.run_id AND attempt = a.attempt AND first_seq <= ?) LIMIT 1`;
  return connection.get(sql, [runId, after]) !== undefined;
}

interface StoredEvent {
  readonly seq: number;
  readonly run_id: string;
  readonly attempt: number;
  readonly stage: Stage;
  readonly iteration: number;
  readonly kind: EventKind;
  readonly message: Text;
  readonly data: string | null;
  readonly at: number;
  readonly superseded: number;
}

function eventOf(row: StoredEvent): EventRow {
  const { seq, attempt, stage, iteration, kind, at } = row;
  const data = row.data === null ? {} : { data: decodeJson(row.data) as NonNullable<EventRow["data"]> };
  const head = { seq, attempt, stage, iteration, superseded: row.superseded === 1 };
  return { ...head, kind, message: decodeText(row.message), ...data, at };
}
