/** The `Recorder` over the store: buffers an iteration's writes and makes them durable in one transaction. */
import type { Consultation, IncidentRecord, NewIncident } from "../types/alerts.ts";
import {
  type AnsweringModel,
  type AnswerRecord,
  type CommandRecord,
  type EventRecord,
  type MetricValues,
  type RecentRecord,
  type RunState,
  type SampleRecord,
  type SettingRecord,
  type Stage,
  stages,
} from "../types/records.ts";
import type { Recorder } from "../types/run-recorder.ts";
import { messageOf, StoreError } from "../util/errors.ts";
import { readCommandsAppliedAt, readPendingCommands } from "./command-rows.ts";
import { type Connection, isTransient } from "./connection.ts";
import { rank, superseded } from "./database-schema.ts";
import { createIncidentRows } from "./incident-rows.ts";
import { blockSize, closeBefore, openBuckets } from "./rollup.ts";
import { newestSeal } from "./sealing.ts";
import { readRecent } from "./setting-rows.ts";
import type { Position } from "./stored-rows.ts";
import {
  insert,
  insertAnswer,
  insertApplication,
  insertConsultation,
  insertEvent,
  insertIncident,
  insertSample,
  insertSetting,
  type OpenSeries,
  type Place,
  performWrites,
  type Write,
} from "./writerows.ts";

export interface RecorderOptions {
  /** Receives a sentence when writes start to fail, and one when everything that waited is written. */
  readonly onWarning?: (message: string) => void;
  /** Milliseconds between two heartbeats; 5,000 by default. */
  readonly beatInterval?: number;
}

export interface RecorderPlace {
  readonly runId: string;
  readonly attempt: number;
  /** Where the attempt was declared to begin. */
  readonly begins: Position | null;
  readonly now: () => number;
}

/** SQL that sets an attempt's heartbeat to the newest current iteration of the stages before ?1, or to none. */
const toStageBefore = `UPDATE heartbeats SET (stage, iteration) = (
    SELECT stage, iteration FROM (SELECT p.stage, p.iteration, ${superseded("p", "p.iteration")} FROM spans AS p WHERE p.run_id = ?2)
    WHERE NOT superseded AND ${rank("stage")} < ${rank("?1")} ORDER BY ${rank("stage")} DESC, iteration DESC LIMIT 1)
  WHERE run_id = ?2 AND attempt = ?3`;

/** The recorder of one attempt. Made by `Store.recorder`; ended by `close`, or with the store. */
export class StoreRecorder implements Recorder {
  readonly runId: string;
  readonly attempt: number;
  readonly #connection: Connection;
  readonly #onWarning: (message: string) => void;
  readonly #beatInterval: number;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  readonly #series = new Map<Stage, Map<string, OpenSeries>>();
  /** The newest iteration of each stage. */
  readonly #clock = new Map<Stage, number>();
  /** Commands marked as applied by rows that still wait. */
  readonly #applied = new Set<number>();
  #waiting: Write[] = [];
  #begins: Position | null;
  /** Whether `#begins` is the iteration of the first metrics, and so final. */
  #begun = false;
  #newest: Position | null = null;
  #failing = false;
  #closed = false;

  constructor(
    connection: Connection,
    { runId, attempt, begins, now }: RecorderPlace,
    { onWarning = () => {}, beatInterval = 5_000 }: RecorderOptions = {},
  ) {
    this.runId = runId;
    this.attempt = attempt;
    this.#connection = connection;
    this.#begins = begins;
    this.#now = now;
    this.#onWarning = onWarning;
    this.#beatInterval = beatInterval;
    this.#try([this.#beat()]);
    this.#timer = setInterval(() => this.#try([this.#beat()]), beatInterval);
    // The heartbeat itself must not keep the process alive.
    this.#timer.unref();
  }

  /** Writes that are not in the database yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Records metrics of an iteration.
   * @throws StoreError if the attempt has recorded a later iteration of the stage or this iteration of the metric, or if a value is not a number.
   */
  metrics(stage: Stage, iteration: number, values: MetricValues): void {
    this.#advance(stage, iteration);
    const known = this.#series.get(stage)!;
    for (const [key, value] of Object.entries(values)) {
      if (typeof value !== "number") throw new StoreError(`metric ${key} is ${typeof value} ${value}, not a number`);
      let series = known.get(key);
      if (series === undefined) {
        const { runId, attempt } = this;
        series = { runId, attempt, stage, key, id: null, newest: -1, open: openBuckets() };
        known.set(key, series);
      }
      if (series.newest === iteration)
        throw new StoreError(`metric ${key} of ${stage} has a value for iteration ${iteration} already`);
      series.newest = iteration;
      series.open.iterations.push(iteration);
      // SQLite stores -0 as 0, whereas a block would keep it.
      const stored = value === 0 ? 0 : value;
      series.open.values.push(stored);
      this.#waiting.push({ kind: "metric", series, iteration, value: stored });
    }
  }

  /** Records an event. The event `resumed` says immediately where this attempt begins: rows of older attempts from there on are superseded. */
  event(event: EventRecord): void {
    const { kind, stage, iteration } = event;
    const alone = this.#waiting.length === 0;
    if (kind === "resumed" && !this.#begun) this.#begin({ stage, iteration });
    this.#waiting.push(insertEvent(this.#place(stage, iteration), event, this.#now()));
    if (kind === "resumed" && alone) this.commit();
  }

  setting(setting: SettingRecord): void {
    this.#waiting.push(insertSetting(this.#place(setting.stage, setting.iteration), setting, this.#now()));
  }

  samples(stage: Stage, iteration: number, samples: readonly SampleRecord[]): void {
    const place = this.#place(stage, iteration);
    for (const sample of samples) this.#waiting.push(insertSample(place, sample));
  }

  answers(stage: Stage, iteration: number, model: AnsweringModel, answers: readonly AnswerRecord[]): void {
    const place = this.#place(stage, iteration);
    for (const answer of answers) this.#waiting.push(insertAnswer(place, model, answer));
  }

  consultation(consultation: Consultation): void {
    const { stage, iteration } = consultation;
    this.#waiting.push(insertConsultation(this.#place(stage, iteration), consultation));
  }

  /**
   * Makes the incident durable at once, with everything before it; if that is impossible, it waits with everything else and gets its number later.
   */
  incident(incident: NewIncident): number | null {
    const { stage, iteration } = incident;
    this.#waiting.push(insertIncident(this.#place(stage, iteration), incident, this.#now()));
    this.commit();
    if (this.#waiting.length > 0) return null;
    return this.incidents().at(-1)!.id;
  }

  incidents(): IncidentRecord[] {
    return createIncidentRows(this.#connection, this.#now).incidents({ run: this.runId });
  }

  head(): string | null {
    return newestSeal(this.#connection, this.runId)?.head ?? null;
  }

  recent(stage: Stage, { upTo, iterations }: { readonly upTo: number; readonly iterations: number }): RecentRecord {
    const recent = readRecent(this.#connection, this.runId, { stage, upTo, iterations });
    // On a full disk, finished iterations wait: an incident must have them in its evidence.
    const waiting = new Map<number, Record<string, number>>();
    for (const write of this.#waiting) {
      if (write.kind !== "metric" || write.series.stage !== stage || write.iteration >= upTo) continue;
      const values = waiting.get(write.iteration) ?? {};
      values[write.series.key] = write.value;
      waiting.set(write.iteration, values);
    }
    const ended = [...waiting].map(([iteration, values]) => ({ iteration, values }));
    return { ...recent, iterations: [...recent.iterations, ...ended].slice(-iterations) };
  }

  /**
   * Writes everything that waits. If the disk is full or a different process holds the lock, it waits for the next commit, and `onWarning` is called.
   */
  commit({ flush = false }: { readonly flush?: boolean } = {}): void {
    const rows = this.#waiting.length;
    if (!this.#try([...this.#waiting, this.#beat()], { flush })) return;
    this.#waiting = [];
    this.#applied.clear();
    if (this.#failing)
      this.#onWarning(`the database accepts writes again: the ${rows} that waited are stored, none is lost`);
    this.#failing = false;
  }

  pendingCommands(): CommandRecord[] {
    return readPendingCommands(this.#connection, this.runId).filter(({ id }) => !this.#applied.has(id));
  }

  commandsAppliedAt(stage: Stage, iteration: number): CommandRecord[] {
    return readCommandsAppliedAt(this.#connection, { runId: this.runId, attempt: this.attempt, stage, iteration });
  }

  markApplied(commandId: number, stage: Stage, iteration: number): void {
    this.#applied.add(commandId);
    this.#waiting.push(insertApplication(this.#place(stage, iteration), commandId, this.#now()));
  }

  /** Records a state, durable at once unless part of an iteration waits for its commit. */
  state(state: RunState): void {
    const alone = this.#waiting.length === 0;
    this.#waiting.push(insert("states", { run_id: this.runId, attempt: this.attempt, state, at: this.#now() }));
    if (alone) this.commit();
  }

  /** Commits and stops the heartbeat. Anything that still cannot be written is lost, and `onWarning` is called. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    if (this.#waiting.length > 0) this.commit();
    if (this.#waiting.length > 0)
      this.#onWarning(`closed with ${this.#waiting.length} records that could not be written`);
  }

  /** Returns whether the writes are in the database; false if they may succeed later. */
  #try(writes: readonly Write[], { flush = false } = {}): boolean {
    const perform = () => performWrites(this.#connection, writes, { runId: this.runId, at: this.#now() });
    try {
      if (flush) this.#connection.flushed(perform);
      else perform();
      return true;
    } catch (error) {
      if (!isTransient(error)) throw error;
      if (!this.#failing) {
        const { hint = "" } = error as StoreError;
        this.#onWarning(
          `cannot write: ${messageOf(error)}. Records wait in memory, and nothing is lost while the program runs. ${hint}`.trim(),
        );
      }
      this.#failing = true;
      return false;
    }
  }

  #beat(): Write {
    const { stage = null, iteration = null } = this.#newest ?? {};
    return {
      kind: "change",
      sql: `UPDATE heartbeats SET at = ?, interval_ms = ?, stage = coalesce(?, stage), iteration = coalesce(?, iteration)
        WHERE run_id = ? AND attempt = ?`,
      parameters: [this.#now(), this.#beatInterval, stage, iteration, this.runId, this.attempt],
    };
  }

  #place(stage: Stage, iteration: number): Place {
    if (!Number.isSafeInteger(iteration) || iteration < 0)
      throw new StoreError(`iteration ${iteration} of ${stage} is not a whole number from 0`);
    return { runId: this.runId, attempt: this.attempt, stage, iteration };
  }

  /** Advances a stage to an iteration, and closes what is behind it. */
  #advance(stage: Stage, iteration: number): void {
    this.#place(stage, iteration);
    if (!this.#begun && !(this.#begins?.stage === stage && this.#begins.iteration === iteration))
      this.#begin({ stage, iteration });
    this.#begun = true;
    const newest = this.#clock.get(stage) ?? -1;
    const begins = this.#begins!;
    const early = stages.indexOf(stage) - stages.indexOf(begins.stage) || iteration - begins.iteration;
    if (iteration < newest || early < 0)
      throw new StoreError(
        iteration < newest
          ? `metrics of ${stage} ${iteration} after those of ${newest}`
          : `metrics of ${stage} ${iteration} in attempt ${this.attempt}, which began at ${begins.stage} ${begins.iteration}`,
        "Within an attempt iterations only go on; to go back, start a new attempt.",
      );
    if (!this.#series.has(stage)) this.#series.set(stage, new Map());
    if (Math.floor(iteration / blockSize) > Math.floor(newest / blockSize)) {
      for (const series of this.#series.get(stage)!.values())
        closeBefore(series.open, iteration, {
          block: (block) => this.#waiting.push({ kind: "block", series, block }),
          bucket: (bucket) => this.#waiting.push({ kind: "bucket", series, bucket }),
        });
    }
    this.#clock.set(stage, iteration);
    this.#newest = { stage, iteration };
  }

  #begin(begins: Position): void {
    this.#begins = begins;
    this.#waiting.push({
      kind: "change",
      sql: "UPDATE attempts SET stage = ?, iteration = ? WHERE run_id = ? AND attempt = ?",
      parameters: [begins.stage, begins.iteration, this.runId, this.attempt],
    });
    // The run no longer continues from where the previous attempt ended, but from the iteration before, or from the end of the stage before.
    const own = [this.runId, this.attempt];
    this.#waiting.push(
      begins.iteration === 0
        ? { kind: "change", sql: toStageBefore, parameters: [begins.stage, ...own] }
        : {
            kind: "change",
            sql: "UPDATE heartbeats SET stage = ?, iteration = ? WHERE run_id = ? AND attempt = ?",
            parameters: [begins.stage, begins.iteration - 1, ...own],
          },
    );
  }
}
