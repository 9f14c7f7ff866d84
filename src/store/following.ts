/** What readers that follow a workspace ask as it is written: where its tables end, and what was added after a cursor, over several runs. */
import type { Connection } from "./connection.ts";
import { superseded } from "./database-schema.ts";
import { eventOf, type StoredEvent } from "./event-rows.ts";
import { metricOf, type StoredMetric } from "./metric-rows.ts";
import type { EventRow, MetricRow } from "./stored-rows.ts";

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

export function createFollowing(connection: Connection) {
  return {
    /** The ends of the tables that readers follow. */
    ends(): Ends {
      return connection.get<{ metrics: number; events: number }>(
        `SELECT coalesce((SELECT max(seq) FROM metrics), 0) AS metrics, coalesce((SELECT max(seq) FROM events), 0) AS events`,
      )!;
    },

    /** Visits metrics of these runs between two cursors, in the order of commits. */
    newMetrics({ runs, after, upTo, visit }: NewRows<MetricRow>): void {
      // CROSS JOIN fixes the order of the loops: first the new rows, then the series of each.
      const sql = `SELECT m.seq, s.run_id, s.attempt, s.stage, m.iteration, s.key, m.value, m.flag, ${superseded("s", "m.iteration")}
        FROM metrics AS m CROSS JOIN series AS s ON s.id = m.series
        WHERE m.seq > ? AND m.seq <= ? AND s.run_id IN (SELECT value FROM json_each(?)) ORDER BY m.seq`;
      for (const row of connection.all<StoredMetric & { run_id: string }>(sql, [after, upTo, JSON.stringify(runs)]))
        visit(row.run_id, metricOf(row));
    },

    /** Visits events of these runs between two cursors, in the order of commits. */
    newEvents({ runs, after, upTo, visit }: NewRows<EventRow>): void {
      const sql = `SELECT * FROM event_rows
        WHERE seq > ? AND seq <= ? AND +run_id IN (SELECT value FROM json_each(?)) ORDER BY seq`;
      for (const row of connection.all<StoredEvent & { run_id: string }>(sql, [after, upTo, JSON.stringify(runs)]))
        visit(row.run_id, eventOf(row));
    },

    /** Whether a newer attempt has superseded iterations since this cursor of metrics. */
    takenOver(runId: string, after: number): boolean {
      const sql = `SELECT 1 FROM attempts AS a WHERE run_id = ? AND attempt > 1 AND stage IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM spans WHERE run_id = a.run_id AND attempt = a.attempt AND first_seq <= ?) LIMIT 1`;
      return connection.get(sql, [runId, after]) !== undefined;
    },
  };
}
