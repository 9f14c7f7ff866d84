/** What the store answers with. Times are Unix milliseconds; `superseded` says that a newer attempt has taken that iteration over. */
import type { Shown, Told } from "../types/alerts.ts";
import type { MarkKind } from "../types/page.ts";
import type {
  AnsweringModel,
  AnswerRecord,
  CommandRecord,
  EventRecord,
  RunRecord,
  RunState,
  SampleRecord,
  SettingRecord,
  Stage,
} from "../types/records.ts";

/** `created`: no attempt was started yet. `lost`: written as running, but three heartbeats were missed. */
export type DerivedState = RunState | "lost" | "created";

/** A place in a run. */
export interface Position {
  readonly stage: Stage;
  readonly iteration: number;
}

export interface RunRow extends RunRecord {
  readonly state: DerivedState;
  /** Whether the newest attempt's heart still beats. */
  readonly alive: boolean;
  /** Newest attempt; 0 before the first. */
  readonly attempt: number;
  /** As in its AttemptRow. */
  readonly begins: Position | null;
  /** Where the newest metrics stand; null before the first. */
  readonly position: Position | null;
  readonly lastBeat: number | null;
  readonly host: string | null;
  readonly pid: number | null;
}

export interface AttemptRow {
  readonly runId: string;
  readonly attempt: number;
  /** The first iteration it runs: older attempts' rows from there on are superseded. Null until it is known. */
  readonly begins: Position | null;
  readonly startedAt: number;
  readonly host: string;
  readonly pid: number;
}

/** What every recorded row carries. */
export interface RowHead extends Position {
  /** Increases with every row of its table, in the order of commits. */
  readonly seq: number;
  readonly attempt: number;
  readonly superseded: boolean;
}

export interface MetricRow extends RowHead {
  readonly key: string;
  readonly value: number;
}

/** The newest value of a metric. */
export interface LatestValue {
  readonly key: string;
  readonly iteration: number;
  readonly value: number;
}

export interface EventRow extends RowHead, EventRecord {
  readonly at: number;
}

export interface SettingRow extends RowHead, SettingRecord {
  readonly at: number;
}

export interface SampleRow extends RowHead, SampleRecord {}

export interface AnswerRow extends RowHead, AnswerRecord {
  readonly model: AnsweringModel;
}

/** What people noted of a run, and did not take away. */
export interface MarkRow {
  readonly id: number;
  readonly runId: string;
  readonly kind: MarkKind;
  /** Of a tag its word, of a note its text, of a pin the sample's seq; empty for `archived`. */
  readonly value: string;
  readonly at: number;
}

export type ConsultationRow = RowHead & (Shown | Told);

export interface StateRow {
  readonly seq: number;
  readonly attempt: number;
  readonly state: RunState;
  readonly at: number;
}

export interface CommandRow extends CommandRecord {
  readonly runId: string;
}

/** New rows since a cursor, and the cursor to ask from next time. */
export interface Feed<Row> {
  readonly rows: Row[];
  readonly cursor: number;
}

export interface FeedQuery {
  /** Rows with a larger `seq`; all by default. */
  readonly after?: number;
  /** At most this many rows; 10,000 by default. */
  readonly limit?: number;
  /** Leave superseded rows out; they are in, marked, by default. */
  readonly current?: boolean;
}

/** One bucket of a chart: [from, to) in iterations. */
export interface SeriesPoint {
  readonly from: number;
  readonly to: number;
  /** Over finite values; null where the bucket has none. */
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  /** The newest value of the bucket; may be NaN or infinite. */
  readonly last: number;
  /** Rows, finite or not. */
  readonly count: number;
  readonly nonFinite: number;
}

export interface Series {
  /** Iterations a point spans, a power of two; 1 where the points are single rows. */
  readonly width: number;
  /** In order of iteration; iterations without a row have no point. */
  readonly points: SeriesPoint[];
}

export interface SeriesQuery {
  /** First iteration wanted. */
  readonly from?: number;
  /** First iteration not wanted any more. */
  readonly to?: number;
  /** 1,000 by default. */
  readonly maxPoints?: number;
}
