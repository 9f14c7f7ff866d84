/** Metrics of a run: from a cursor, at an iteration, and the newest of each; and which iterations are recorded. */
import type { Stage } from "../types/records.ts";
import type { Connection } from "./connection.ts";
import { rank, superseded } from "./database-schema.ts";
import { decodeText, numberOf } from "./encode-value.ts";
import { headOf, readFeed, type StoredHead } from "./feed.ts";
import { readLastValue } from "./metric-series.ts";
import type { Feed, FeedQuery, LatestValue, MetricRow } from "./stored-rows.ts";

type Text = string | Uint8Array;

export interface StoredMetric extends StoredHead {
  readonly key: Text;
  readonly value: number | null;
  readonly flag: number;
}

export interface Recorded {
  readonly iteration: number;
  /** Time in Unix milliseconds. */
  readonly at: number;
}

// CROSS JOIN fixes the order of the loops: first the new rows, then the series of each.
const metricsSql = `SELECT m.seq, s.attempt, s.stage, m.iteration, s.key, m.value, m.flag, ${superseded("s", "m.iteration")}
  FROM metrics AS m CROSS JOIN series AS s ON s.id = m.series WHERE s.run_id = ? AND m.seq > ?`;

export function createMetricRows(connection: Connection) {
  /** A run's metrics, in the order of their first record. */
  const keys = (runId: string): { stage: Stage; key: string }[] =>
    connection
      .all<{ stage: Stage; key: Text }>(
        "SELECT stage, key FROM series WHERE run_id = ? GROUP BY stage, key ORDER BY min(id)",
        [runId],
      )
      .map(({ stage, key }) => ({ stage, key: decodeText(key) }));
  return {
    keys,

    /** Metrics of a run from a cursor, every stage and key. */
    metrics(runId: string, query?: FeedQuery): Feed<MetricRow> {
      return readFeed(connection, { table: "metrics", sql: metricsSql, parameters: [runId], convert: metricOf }, query);
    },

    /** The newest current value of each metric of a stage, or of the named ones, with its iteration; metrics without a value are left out. */
    latest(runId: string, stage: Stage, names?: readonly string[]): LatestValue[] {
      return connection.read(() => {
        const own = () => keys(runId).filter((name) => name.stage === stage);
        return (names ?? own().map(({ key }) => key)).flatMap((key) => {
          const last = readLastValue(connection, { runId, stage, key });
          return last ? [{ key, ...last }] : [];
        });
      });
    },

    /** The current value of each metric at one iteration. */
    values(runId: string, stage: Stage, iteration: number): Record<string, number> {
      const rows = connection.all<{ key: Text; value: number | null; flag: number }>(
        `SELECT key, value, flag FROM metric_rows WHERE run_id = ?1 AND stage = ?2 AND iteration = ?3 AND NOT superseded
         AND attempt IN (SELECT attempt FROM attempts WHERE run_id = ?1) ORDER BY seq`,
        [runId, stage, iteration],
      );
      return Object.fromEntries(rows.map((row) => [decodeText(row.key), numberOf(row.value, row.flag)]));
    },

    /** The newest current iteration of a stage; null if it has none. */
    newestIteration(runId: string, stage: Stage): number | null {
      const attempts = connection.all<{ attempt: number; newest: number | null; ends: number | null }>(
        `SELECT a.attempt,
         (SELECT max(iteration) FROM spans WHERE run_id = a.run_id AND attempt = a.attempt AND stage = ?1) AS newest,
         (SELECT min(CASE WHEN later.stage = ?1 THEN later.iteration
            WHEN ${rank("later.stage")} < ${rank("?1")} THEN 0 END)
          FROM attempts AS later WHERE later.run_id = a.run_id AND later.attempt > a.attempt) AS ends
       FROM attempts AS a WHERE a.run_id = ?2`,
        [stage, runId],
      );
      const current = attempts.map(({ newest, ends }) =>
        newest === null ? -1 : Math.min(newest, (ends ?? Number.POSITIVE_INFINITY) - 1),
      );
      const newest = Math.max(-1, ...current);
      return newest < 0 ? null : newest;
    },

    /** When the newest iterations of a stage in one attempt were recorded, newest first. */
    recorded(
      runId: string,
      { attempt, stage, limit }: { readonly attempt: number; readonly stage: Stage; readonly limit: number },
    ): Recorded[] {
      return connection.all<Recorded>(
        `SELECT iteration, at FROM spans WHERE run_id = ? AND attempt = ? AND stage = ?
         ORDER BY iteration DESC, first_seq DESC LIMIT ?`,
        [runId, attempt, stage, limit],
      );
    },

    /** The first iteration of a stage that was recorded at `at` (Unix milliseconds) or later; undefined if there is none. */
    firstIterationSince(runId: string, stage: Stage, at: number): number | undefined {
      const sql = `SELECT min(iteration) AS first FROM spans
        WHERE run_id = ?1 AND stage = ?2 AND at >= ?3 AND attempt IN (SELECT attempt FROM attempts WHERE run_id = ?1)`;
      return connection.get<{ first: number | null }>(sql, [runId, stage, at])?.first ?? undefined;
    },
  };
}

export function metricOf(row: StoredMetric): MetricRow {
  return { ...headOf(row), key: decodeText(row.key), value: numberOf(row.value, row.flag) };
}
