/** Hyperparameters of a run and their changes. */
import type { RecentRecord, SettingRecord, Stage } from "../types/records.ts";
import type { Connection } from "./connection.ts";
import { decodeJson, decodeText, encodeText } from "./encode-value.ts";
import { headOf, readFeed, type StoredHead } from "./feed.ts";
import { createMetricRows } from "./metric-rows.ts";
import type { Feed, FeedQuery, SettingRow } from "./stored-rows.ts";

interface StoredSetting extends StoredHead {
  readonly key: string | Uint8Array;
  readonly before: string;
  readonly value: string;
  readonly cause: string;
  readonly intervention: number | null;
  readonly at: number;
}

/** Versions before 0.4 called the operator a person. */
export function causeOf(stored: string): SettingRecord["cause"] {
  return stored === "person" ? "operator" : (stored as SettingRecord["cause"]);
}

export function createSettingRows(connection: Connection) {
  return {
    /** Changes of hyperparameters from a cursor; with `key` only those of one: its history over all attempts. */
    settings(runId: string, { key, ...query }: FeedQuery & { readonly key?: string } = {}): Feed<SettingRow> {
      const condition = key === undefined ? "" : " AND key = ?";
      const sql = `SELECT * FROM setting_rows WHERE run_id = ? AND seq > ?${condition}`;
      const more = key === undefined ? [] : [encodeText(key)];
      return readFeed(connection, { table: "settings", sql, parameters: [runId], more, convert: settingOf }, query);
    },

    /** The newest current value of each setting that was set, without schedules and interventions, which multiply it. */
    setValues(runId: string): ReadonlyMap<string, SettingRow["value"]> {
      // For the row with the group's largest seq, SQLite takes the other columns too.
      const rows = connection.all<{ key: string | Uint8Array; value: string }>(
        `SELECT key, value, max(seq) FROM setting_rows
         WHERE run_id = ? AND cause NOT IN ('schedule', 'intervention') AND NOT superseded GROUP BY key`,
        [runId],
      );
      return new Map(rows.map(({ key, value }) => [decodeText(key), decodeJson(value) as SettingRow["value"]]));
    },

    /**
     * Current settings of a run, oldest first, with the number that each has in all. If a setting has more than `most` rows, those set by a schedule
     * or a controller are thinned evenly to about as many; its first and its newest stay.
     */
    thinnedSettings(runId: string, most: number): (SettingRow & { readonly of: number })[] {
      return connection
        .all<StoredSetting & { readonly of: number }>(
          `SELECT * FROM (SELECT *, row_number() OVER one AS n, count(*) OVER (PARTITION BY stage, key) AS "of"
           FROM setting_rows WHERE run_id = ? AND NOT superseded WINDOW one AS (PARTITION BY stage, key ORDER BY seq))
         WHERE n = 1 OR n = "of" OR n % (1 + "of" / (1 + ?)) = 0 OR cause NOT IN ('schedule', 'controller')
         ORDER BY seq`,
          [runId, most],
        )
        .map((row) => ({ ...settingOf(row), of: row.of }));
    },
  };
}

/** Metrics and changed settings of the last iterations, without those recorded at the start of the run. */
export function readRecent(
  connection: Connection,
  runId: string,
  { stage, upTo, iterations }: { readonly stage: Stage; readonly upTo: number; readonly iterations: number },
): RecentRecord {
  const from = Math.max(0, upTo - iterations + 1);
  const { values } = createMetricRows(connection);
  return connection.read(() => ({
    iterations: Array.from({ length: upTo - from + 1 }, (_, i) => from + i)
      .map((iteration) => ({ iteration, values: values(runId, stage, iteration) }))
      .filter((one) => Object.keys(one.values).length > 0),
    changes: connection
      .all<StoredSetting>(
        `SELECT * FROM setting_rows WHERE run_id = ? AND stage = ? AND iteration BETWEEN ? AND ?
         AND cause <> 'config' AND NOT superseded ORDER BY seq`,
        [runId, stage, from, upTo + 1],
      )
      .map(settingOf),
  }));
}

function settingOf(row: StoredSetting): SettingRow {
  return {
    ...headOf(row),
    key: decodeText(row.key),
    before: decodeJson(row.before) as SettingRow["before"],
    value: decodeJson(row.value) as SettingRow["value"],
    cause: causeOf(row.cause),
    ...(row.intervention === null ? {} : { intervention: row.intervention }),
    at: row.at,
  };
}
