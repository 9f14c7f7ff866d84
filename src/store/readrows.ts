/** Queries for what a run recorded: metrics, events, settings and samples, from a cursor or at an iteration. */
import type { OperatorWord, Shown, Tier } from "../types/alerts.ts";
import type { EventKind, MetricValues, RecentRecord, SampleRecord, SettingRecord, Stage } from "../types/records.ts";
import type { Connection, Parameter } from "./connection.ts";
import { superseded } from "./database-schema.ts";
import { earlierShown, earlierWord } from "./earlier-consultations.ts";
import { decodeFloats, decodeJson, decodeText, encodeText, numberOf } from "./encode-value.ts";
import { readLastValue } from "./metric-series.ts";
import type {
  ConsultationRow,
  EventRow,
  Feed,
  FeedQuery,
  LatestValue,
  MetricRow,
  RowHead,
  SampleRow,
  SettingRow,
} from "./stored-rows.ts";

type Text = string | Uint8Array;

interface StoredHead {
  readonly seq: number;
  readonly attempt: number;
  readonly stage: Stage;
  readonly iteration: number;
  readonly superseded: number;
}

interface StoredMetric extends StoredHead {
  readonly key: Text;
  readonly value: number | null;
  readonly flag: number;
}

// CROSS JOIN fixes the order of the loops: first the new rows, then the series of each.
const metricsSql = `SELECT m.seq, s.attempt, s.stage, m.iteration, s.key, m.value, m.flag, ${superseded("s", "m.iteration")}
  FROM metrics AS m CROSS JOIN series AS s ON s.id = m.series WHERE s.run_id = ? AND m.seq > ?`;

/** Metrics of a run from a cursor, every stage and key. */
export function readMetrics(connection: Connection, runId: string, query?: FeedQuery): Feed<MetricRow> {
  return readFeed(connection, { table: "metrics", sql: metricsSql, parameters: [runId], convert: metricOf }, query);
}

export function readEvents(
  connection: Connection,
  runId: string,
  { kind, ...query }: FeedQuery & { kind?: EventKind } = {},
): Feed<EventRow> {
  const condition = kind === undefined ? "" : " AND kind = ?";
  const sql = `SELECT * FROM event_rows WHERE run_id = ? AND seq > ?${condition}`;
  const more = kind === undefined ? [] : [kind];
  return readFeed(connection, { table: "events", sql, parameters: [runId], more, convert: eventOf }, query);
}

export function readSettings(
  connection: Connection,
  runId: string,
  { key, ...query }: FeedQuery & { key?: string } = {},
): Feed<SettingRow> {
  const condition = key === undefined ? "" : " AND key = ?";
  const sql = `SELECT * FROM setting_rows WHERE run_id = ? AND seq > ?${condition}`;
  const more = key === undefined ? [] : [encodeText(key)];
  return readFeed(connection, { table: "settings", sql, parameters: [runId], more, convert: settingOf }, query);
}

/** The newly set values of a run's settings, by key, without schedules and interventions, which multiply the set value. */
export function readSetValues(connection: Connection, runId: string): ReadonlyMap<string, SettingRow["value"]> {
  // For the row with the group's largest seq, SQLite takes the other columns too.
  const rows = connection.all<{ key: Text; value: string }>(
    `SELECT key, value, max(seq) FROM setting_rows
     WHERE run_id = ? AND cause NOT IN ('schedule', 'intervention') AND NOT superseded GROUP BY key`,
    [runId],
  );
  return new Map(rows.map(({ key, value }) => [decodeText(key), decodeJson(value) as SettingRow["value"]]));
}

/**
 * Current settings of a run, oldest first. If a setting has more than `most` rows, those set by a schedule or a controller are thinned evenly to
 * about as many; its first and its newest stay. `of`: how many it has in all.
 */
export function readThinnedSettings(
  connection: Connection,
  runId: string,
  most: number,
): (SettingRow & { readonly of: number })[] {
  return connection
    .all<StoredSetting & { readonly of: number }>(
      `SELECT * FROM (SELECT *, row_number() OVER one AS n, count(*) OVER (PARTITION BY stage, key) AS "of"
         FROM setting_rows WHERE run_id = ? AND NOT superseded WINDOW one AS (PARTITION BY stage, key ORDER BY seq))
       WHERE n = 1 OR n = "of" OR n % (1 + "of" / (1 + ?)) = 0 OR cause NOT IN ('schedule', 'controller')
       ORDER BY seq`,
      [runId, most],
    )
    .map((row) => ({ ...settingOf(row), of: row.of }));
}

/** Metrics and changed settings of the last iterations, without those recorded at the start of the run. */
export function readRecent(
  connection: Connection,
  runId: string,
  { stage, upTo, iterations }: { readonly stage: Stage; readonly upTo: number; readonly iterations: number },
): RecentRecord {
  const from = Math.max(0, upTo - iterations + 1);
  return connection.read(() => ({
    iterations: Array.from({ length: upTo - from + 1 }, (_, i) => from + i)
      .map((iteration) => ({ iteration, values: readValues(connection, runId, stage, iteration) }))
      .filter(({ values }) => Object.keys(values).length > 0),
    changes: connection
      .all<StoredSetting>(
        `SELECT * FROM setting_rows WHERE run_id = ? AND stage = ? AND iteration BETWEEN ? AND ?
         AND cause <> 'config' AND NOT superseded ORDER BY seq`,
        [runId, stage, from, upTo + 1],
      )
      .map(settingOf),
  }));
}

/** What the stability controller was shown, in order. */
export function readConsultations(
  connection: Connection,
  runId: string,
  { current = true, ...query }: FeedQuery = {},
): Feed<ConsultationRow> {
  const sql = "SELECT * FROM consultation_rows WHERE run_id = ? AND seq > ?";
  const source = { table: "consultations", sql, parameters: [runId], convert: consultationOf } as const;
  return readFeed(connection, source, { current, ...query });
}

/** The current samples of one iteration, in the order in which they were recorded. */
export function readSamples(connection: Connection, runId: string, stage: Stage, iteration: number): SampleRow[] {
  return connection
    .all<StoredSample>(
      "SELECT * FROM sample_rows WHERE run_id = ? AND stage = ? AND iteration = ? AND NOT superseded ORDER BY seq",
      [runId, stage, iteration],
    )
    .map(sampleOf);
}

/** Samples of a run from a cursor. */
export function readSampleFeed(connection: Connection, runId: string, query?: FeedQuery): Feed<SampleRow> {
  // The plus keeps SQLite off the index by run: new rows are at the end of the table.
  const sql = "SELECT * FROM sample_rows WHERE +run_id = ? AND seq > ?";
  return readFeed(connection, { table: "samples", sql, parameters: [runId], convert: sampleOf }, query);
}

/** The iterations of a stage that have current samples, in order. */
export function readSampleIterations(connection: Connection, runId: string, stage: Stage): number[] {
  return connection
    .all<{ iteration: number }>(
      "SELECT DISTINCT iteration FROM sample_rows WHERE run_id = ? AND stage = ? AND NOT superseded ORDER BY iteration",
      [runId, stage],
    )
    .map((row) => row.iteration);
}

/** The metrics that a run has recorded, in the order of their first record. */
export function readKeys(connection: Connection, runId: string): { stage: Stage; key: string }[] {
  return connection
    .all<{ stage: Stage; key: Text }>(
      "SELECT stage, key FROM series WHERE run_id = ? GROUP BY stage, key ORDER BY min(id)",
      [runId],
    )
    .map(({ stage, key }) => ({ stage, key: decodeText(key) }));
}

/** The newest current value of each metric of a stage, or of the named ones, with its iteration; metrics without a value are left out. */
export function readLatest(
  connection: Connection,
  runId: string,
  { stage, keys }: { readonly stage: Stage; readonly keys?: readonly string[] | undefined },
): LatestValue[] {
  return connection.read(() => {
    const own = () => readKeys(connection, runId).filter((name) => name.stage === stage);
    return (keys ?? own().map(({ key }) => key)).flatMap((key) => {
      const last = readLastValue(connection, { runId, stage, key });
      return last ? [{ key, ...last }] : [];
    });
  });
}

/** The current value of each metric at one iteration. */
export function readValues(
  connection: Connection,
  runId: string,
  stage: Stage,
  iteration: number,
): Record<string, number> {
  const rows = connection.all<{ key: Text; value: number | null; flag: number }>(
    `SELECT key, value, flag FROM metric_rows WHERE run_id = ?1 AND stage = ?2 AND iteration = ?3 AND NOT superseded
     AND attempt IN (SELECT attempt FROM attempts WHERE run_id = ?1) ORDER BY seq`,
    [runId, stage, iteration],
  );
  return Object.fromEntries(rows.map((row) => [decodeText(row.key), numberOf(row.value, row.flag)]));
}

/** The number of a run's alerts, or interventions, of each tier, over all of its attempts. */
export function readTierCounts(
  connection: Connection,
  runId: string,
  kind: "alert" | "intervention",
): Record<Tier, number> {
  const rows = connection.all<{ tier: Tier; count: number }>(
    `SELECT json_extract(data, '$.${kind}.tier') AS tier, count(*) AS count FROM events
     WHERE run_id = ? AND kind = ? AND tier IN (1, 2, 3) GROUP BY tier`,
    [runId, kind],
  );
  return { 1: 0, 2: 0, 3: 0, ...Object.fromEntries(rows.map(({ tier, count }) => [tier, count])) };
}

/** The first iteration of a stage whose metrics were written at `at` or later; undefined if there is none. */
export function readFirstIterationSince(
  connection: Connection,
  options: { runId: string; stage: Stage; at: number },
): number | undefined {
  const { runId, stage, at } = options;
  const sql = `SELECT min(iteration) AS first FROM spans
    WHERE run_id = ?1 AND stage = ?2 AND at >= ?3 AND attempt IN (SELECT attempt FROM attempts WHERE run_id = ?1)`;
  return connection.get<{ first: number | null }>(sql, [runId, stage, at])?.first ?? undefined;
}

interface FeedSource<Stored, Row> {
  readonly table: "metrics" | "events" | "settings" | "samples" | "consultations";
  /** SQL that ends in a condition; takes `parameters`, then the cursor, then `more`. */
  readonly sql: string;
  readonly parameters: readonly Parameter[];
  readonly more?: readonly Parameter[];
  readonly convert: (row: Stored) => Row;
}

function readFeed<Stored extends StoredHead, Row extends RowHead>(
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

function headOf(row: StoredHead): RowHead {
  const { seq, attempt, stage, iteration } = row;
  return { seq, attempt, stage, iteration, superseded: row.superseded === 1 };
}

function metricOf(row: StoredMetric): MetricRow {
  return { ...headOf(row), key: decodeText(row.key), value: numberOf(row.value, row.flag) };
}

interface StoredEvent extends StoredHead {
  readonly kind: EventKind;
  readonly message: Text;
  readonly data: string | null;
  readonly at: number;
}

function eventOf(row: StoredEvent): EventRow {
  const data = row.data === null ? {} : { data: decodeJson(row.data) as NonNullable<EventRow["data"]> };
  return { ...headOf(row), kind: row.kind, message: decodeText(row.message), ...data, at: row.at };
}

interface StoredSetting extends StoredHead {
  readonly key: Text;
  readonly before: string;
  readonly value: string;
  readonly cause: SettingRecord["cause"];
  readonly intervention: number | null;
  readonly at: number;
}

function settingOf(row: StoredSetting): SettingRow {
  return {
    ...headOf(row),
    key: decodeText(row.key),
    before: decodeJson(row.before) as SettingRow["before"],
    value: decodeJson(row.value) as SettingRow["value"],
    cause: row.cause,
    ...(row.intervention === null ? {} : { intervention: row.intervention }),
    at: row.at,
  };
}

interface StoredConsultation extends StoredHead {
  readonly point: Shown["point"] | "operator" | "person";
  readonly step: number | null;
  readonly signals: string;
  readonly base: string | null;
  readonly word: string | null;
}

function consultationOf(row: StoredConsultation): ConsultationRow {
  const { point, step } = row;
  const head = headOf(row);
  const signals = decodeJson(row.signals) as MetricValues;
  if (point === "person") return { ...head, point: "operator", word: earlierWord(signals) };
  if (point === "operator") return { ...head, point, word: decodeJson(row.word!) as OperatorWord };
  if (row.base === null) return { ...head, point, step, ...earlierShown(signals) };
  return { ...head, point, step, signals, base: decodeJson(row.base) as Shown["base"] };
}

export interface StoredSample extends StoredHead {
  readonly sample: number;
  readonly reason: SampleRecord["reason"];
  readonly prompt: Text;
  readonly response: Text;
  readonly score: number | null;
  readonly score_flag: number;
  readonly kl: number | null;
  readonly kl_flag: number;
  readonly stop_reason: SampleRecord["stopReason"];
  readonly components: string;
  readonly tokens: string;
  readonly logprobs: Uint8Array;
  readonly ref_logprobs: Uint8Array;
  readonly values: Uint8Array;
  readonly advantages: Uint8Array;
}

export function sampleOf(row: StoredSample): SampleRow {
  return {
    ...headOf(row),
    index: row.sample,
    prompt: decodeText(row.prompt),
    response: decodeText(row.response),
    score: numberOf(row.score, row.score_flag),
    components: decodeJson(row.components) as SampleRow["components"],
    kl: numberOf(row.kl, row.kl_flag),
    stopReason: row.stop_reason,
    tokens: decodeJson(row.tokens) as string[],
    logprobs: decodeFloats(row.logprobs),
    refLogprobs: decodeFloats(row.ref_logprobs),
    values: decodeFloats(row.values),
    advantages: decodeFloats(row.advantages),
    reason: row.reason,
  };
}
