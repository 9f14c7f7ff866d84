/** The rows that the store returns. Times are in Unix milliseconds; `superseded` says that a newer attempt has superseded that iteration. */
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

/** `created`: no attempt was started yet. `lost`: recorded as running, but three heartbeats were missed. */
export type DerivedState = RunState | "lost" | "created";

/** A place in a run. */
export interface Position {
  readonly stage: Stage;
  readonly iteration: number;
}

export interface RunRow extends RunRecord {
  readonly state: DerivedState;
  /** Whether the newest attempt's heartbeat is current. */
  readonly alive: boolean;
  /** The newest attempt's number; 0 before the first. */
  readonly attempt: number;
  /** Where the newest attempt begins (see AttemptRow). */
  readonly begins: Position | null;
  /** The position of the newest metrics; null before the first. */
  readonly position: Position | null;
  readonly lastBeat: number | null;
  readonly host: string | null;
  readonly pid: number | null;
}

export interface AttemptRow {
  readonly runId: string;
  readonly attempt: number;
  /** The first iteration that the attempt runs: older attempts' rows from there on are superseded. null until it is known. */
  readonly begins: Position | null;
  readonly startedAt: number;
  readonly host: string;
  readonly pid: number;
  /** Who started or resumed the run; null in rows of earlier versions, as is the machine. */
  readonly operator: string | null;
  /** The machine record of this attempt, as JSON. */
  readonly machine: string | null;
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

/** A user's mark in effect. */
export interface MarkRow {
  readonly id: number;
  readonly runId: string;
  readonly kind: MarkKind;
  /** The word of a tag, the text of a note, the shown name, the seq of a pinned sample; empty for `archived`. */
  readonly value: string;
  readonly at: number;
  /** Who set it; null in rows of earlier versions. */
  readonly operator: string | null;
}

/** Who makes a change. */
export interface By {
  readonly operator?: string;
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

/** New rows since a cursor, and the cursor for the next request. */
export interface Feed<Row> {
  readonly rows: Row[];
  readonly cursor: number;
}

export interface FeedQuery {
  /** Only rows with a larger `seq`; all by default. */
  readonly after?: number;
  /** At most this many rows; 10,000 by default. */
  readonly limit?: number;
  /** Whether to leave out superseded rows; by default they are included and marked. */
  readonly current?: boolean;
}

/** One bucket of a chart: [from, to) in iterations. */
export interface SeriesPoint {
  readonly from: number;
  readonly to: number;
  /** Minimum of finite values; null if the bucket has none. */
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  /** The newest value of the bucket; may be NaN or infinite. */
  readonly last: number;
  /** Number of rows, finite or not. */
  readonly count: number;
  readonly nonFinite: number;
}

export interface Series {
  /** Iterations in a point, a power of two; 1 if the points are single rows. */
  readonly width: number;
  /** Points in order of iteration; iterations without a row have no point. */
  readonly points: SeriesPoint[];
}

export interface SeriesQuery {
  /** First iteration to return. */
  readonly from?: number;
  /** First iteration not to return. */
  readonly to?: number;
  /** Most points; 1,000 by default. */
  readonly maxPoints?: number;
}
