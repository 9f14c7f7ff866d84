/** Turns records into inserts, and performs a recorder's pending writes in one transaction. */
import type { Consultation, NewIncident } from "../types/alerts.ts";
import type {
  AnsweringModel,
  AnswerRecord,
  EventRecord,
  SampleRecord,
  SettingRecord,
  Stage,
} from "../types/records.ts";
import type { Connection, Parameter } from "./connection.ts";
import { encodeDoubles, encodeFloats, encodeJson, encodeText, finiteOrNull, flagOf, flags } from "./encode-value.ts";
import { type Block, type Bucket, blockSize, type OpenBuckets } from "./rollup.ts";
import { type SealedTable, Sealing } from "./sealing.ts";

/** One metric of one attempt: a row of the series table. */
export interface OpenSeries {
  readonly runId: string;
  readonly attempt: number;
  readonly stage: Stage;
  readonly key: string;
  /** The row's id; null until it is written. */
  id: number | null;
  /** Iteration of the newest row; -1 before the first. */
  newest: number;
  readonly open: OpenBuckets;
}

/** A write that waits for the next commit. */
export type Write =
  | { readonly kind: "metric"; readonly series: OpenSeries; readonly iteration: number; readonly value: number }
  | { readonly kind: "block"; readonly series: OpenSeries; readonly block: Block }
  | { readonly kind: "bucket"; readonly series: OpenSeries; readonly bucket: Bucket }
  | RowWrite
  | { readonly kind: "change"; readonly sql: string; readonly parameters: readonly Parameter[] };

/** A row to add, which is sealed. */
export interface RowWrite {
  readonly kind: "row";
  readonly table: SealedTable;
  readonly row: Row;
}

type Row = Readonly<Record<string, Parameter>>;

/** Where a row belongs. */
export interface Place {
  readonly runId: string;
  readonly attempt: number;
  readonly stage: Stage;
  readonly iteration: number;
}

const blockSql = `INSERT INTO blocks (series, block, present, "values") VALUES (?, ?, ?, ?)`;
const bucketSql = `INSERT INTO rollups (series, level, bucket, count, non_finite, min, max, sum, last, last_flag)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

/** Performs the writes in order, in one transaction: all or none, and seals them. `at` is the time that spans of metrics and the seal carry. */
export function performWrites(
  connection: Connection,
  writes: readonly Write[],
  { runId, at }: { readonly runId: string; readonly at: number },
): void {
  const created: OpenSeries[] = [];
  const sealing = new Sealing(connection, runId);
  const add = (table: SealedTable, row: Row): number => {
    const rowid = insertRow(connection, table, row);
    sealing.add(table, row, rowid);
    return rowid;
  };
  const idOf = (series: OpenSeries): number => {
    if (series.id !== null) return series.id;
    created.push(series);
    const { runId, attempt, stage, key } = series;
    series.id = add("series", { run_id: runId, attempt, stage, key: encodeText(key) });
    return series.id;
  };
  const endSpan = (span: Span | null) => {
    if (span === null) return;
    const { series, iteration, first, last } = span;
    add("spans", { ...placeColumns({ ...series, iteration }), first_seq: first, last_seq: last, at });
  };
  try {
    connection.write(() => {
      let span = null as Span | null;
      for (const write of writes) {
        if (write.kind === "metric") {
          const { series, iteration, value } = write;
          const row = { series: idOf(series), iteration, value: finiteOrNull(value), flag: flagOf(value) };
          const seq = add("metrics", row);
          if (span?.iteration === iteration && span.series.stage === series.stage) span.last = seq;
          else {
            endSpan(span);
            span = { series, iteration, first: seq, last: seq };
          }
        } else if (write.kind === "block") connection.run(blockSql, blockRow(idOf(write.series), write.block));
        else if (write.kind === "bucket") connection.run(bucketSql, bucketRow(idOf(write.series), write.bucket));
        else if (write.kind === "row") add(write.table, write.row);
        else connection.run(write.sql, write.parameters);
      }
      endSpan(span);
      sealing.write(at);
    });
  } catch (error) {
    for (const series of created) series.id = null;
    throw error;
  }
}

/** Consecutive rows of metrics that belong to one iteration. */
interface Span {
  readonly series: OpenSeries;
  readonly iteration: number;
  readonly first: number;
  last: number;
}

/** A block's row; `present` has bit i set if the block has a value for its iteration i. */
function blockRow(series: number, { block, iterations, values }: Block): Parameter[] {
  const present = iterations.reduce((bits, iteration) => bits | (1 << (iteration % blockSize)), 0);
  return [series, block, present, encodeDoubles(values)];
}

function bucketRow(series: number, { level, bucket, rollup }: Bucket): Parameter[] {
  const { count, nonFinite, min, max, sum, last } = rollup;
  const extremes = count > 0 ? [min, max] : [null, null];
  return [series, level, bucket, count, nonFinite, ...extremes, sum, finiteOrNull(last), flagOf(last)];
}

/** A row to add to a table, its columns named by the keys. */
export function insert(table: SealedTable, row: Row): RowWrite {
  return { kind: "row", table, row };
}

/** Inserts one row at once and returns its rowid. */
export function insertRow(connection: Connection, table: string, row: Row): number {
  return connection.run(insertSql(table, Object.keys(row)), Object.values(row));
}

const insertSqls = new Map<string, string>();

function insertSql(table: string, columns: readonly string[]): string {
  const name = `${table} ${columns.join()}`;
  let sql = insertSqls.get(name);
  if (sql === undefined) {
    const names = columns.map((column) => `"${column}"`).join(", ");
    sql = `INSERT INTO ${table} (${names}) VALUES (${columns.map(() => "?").join(", ")})`;
    insertSqls.set(name, sql);
  }
  return sql;
}

/** Inserts rows of a run in one transaction, each sealed with the others; returns their rowids. */
export function insertSealed(
  connection: Connection,
  rows: readonly { readonly table: SealedTable; readonly row: Row }[],
  { runId, at }: { readonly runId: string; readonly at: number },
): number[] {
  return connection.write(() => {
    const sealing = new Sealing(connection, runId);
    const rowids = rows.map(({ table, row }) => {
      const rowid = insertRow(connection, table, row);
      sealing.add(table, row, rowid);
      return rowid;
    });
    sealing.write(at);
    return rowids;
  });
}

export function insertEvent(place: Place, { kind, message, data }: EventRecord, at: number): Write {
  return insert("events", {
    ...placeColumns(place),
    kind,
    message: encodeText(message),
    data: data === undefined ? null : encodeJson(data),
    at,
  });
}

export function insertSetting(place: Place, setting: SettingRecord, at: number): Write {
  const { key, before, value, cause, intervention = null } = setting;
  const values = { before: encodeJson(before), value: encodeJson(value) };
  return insert("settings", { ...placeColumns(place), key: encodeText(key), ...values, cause, at, intervention });
}

export function insertConsultation(place: Place, consultation: Consultation): Write {
  const columns = { ...placeColumns(place), point: consultation.point };
  if (consultation.point === "operator")
    return insert("consultations", { ...columns, step: null, signals: "{}", word: encodeJson(consultation.word) });
  const { step, signals, base } = consultation;
  return insert("consultations", {
    ...columns,
    step,
    signals: encodeJson(signals),
    base: base === undefined ? null : encodeJson(base),
  });
}

export function insertIncident(place: Place, { rule, summary, evidence }: NewIncident, at: number): Write {
  const texts = { rule: encodeText(rule), summary: encodeText(summary), evidence: encodeJson(evidence) };
  return insert("incidents", { ...placeColumns(place), ...texts, opened_at: at });
}

export function insertApplication(place: Place, commandId: number, at: number): Write {
  return insert("applications", { command_id: commandId, ...placeColumns(place), at });
}

export function insertSample(place: Place, sample: SampleRecord): Write {
  return insert("samples", {
    ...placeColumns(place),
    sample: sample.index,
    reason: sample.reason,
    prompt: encodeText(sample.prompt),
    response: encodeText(sample.response),
    score: finiteOrNull(sample.score),
    score_flag: flagOf(sample.score),
    kl: finiteOrNull(sample.kl),
    kl_flag: flagOf(sample.kl),
    stop_reason: sample.stopReason,
    components: encodeJson(sample.components),
    tokens: encodeJson(sample.tokens),
    logprobs: encodeFloats(sample.logprobs),
    ref_logprobs: encodeFloats(sample.refLogprobs),
    values: encodeFloats(sample.values),
    advantages: encodeFloats(sample.advantages),
  });
}

/** Inserts an answer. A missing score is NULL like one that is not finite, but with the flag of a finite one. */
export function insertAnswer(place: Place, model: AnsweringModel, answer: AnswerRecord): Write {
  const { index, kind, prompt, response, score, stopReason, verdicts } = answer;
  return insert("answers", {
    ...placeColumns(place),
    model,
    sample: index,
    kind: kind === null ? null : encodeText(kind),
    prompt: encodeText(prompt),
    response: encodeText(response),
    score: score === null ? null : finiteOrNull(score),
    score_flag: score === null ? flags.finite : flagOf(score),
    stop_reason: stopReason,
    verdicts: encodeJson(verdicts),
  });
}

function placeColumns({ runId, attempt, stage, iteration }: Place): Record<string, Parameter> {
  return { run_id: runId, attempt, stage, iteration };
}
