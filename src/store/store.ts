/** A workspace's store: runs, their records and their commands, in one SQLite file that many processes may have open. */
import { hostname } from "node:os";
import type { IncidentDecision, IncidentRecord, Tier } from "../types/alerts.ts";
import type { NewMark } from "../types/page.ts";
import type { NewRating, RatingRecord } from "../types/rating-records.ts";
import type { AnsweringModel, CommandKind, EventKind, RunRecord, Stage } from "../types/records.ts";
import { StoreError } from "../util/errors.ts";
import { readAnswerIterations, readAnswers } from "./answer-rows.ts";
import { type Connection, openConnection } from "./connection.ts";
import { deleteRun } from "./deletion.ts";
import { encodeJson, encodeText } from "./encode-value.ts";
import { decideIncident, type IncidentQuery, readIncidents } from "./incident-rows.ts";
import { insertMark, readMarks } from "./mark-rows.ts";
import { readSeries } from "./metric-series.ts";
import { insertRating, readRatings } from "./rating-rows.ts";
import {
  type Ends,
  type EventsBefore,
  type NewRows,
  readEnds,
  readEventsBefore,
  readNewEvents,
  readNewMetrics,
  readTakenOver,
} from "./readlive.ts";
import {
  type Recorded,
  type RuleCount,
  readNewestIteration,
  readOpenIncidents,
  readRecorded,
  readRuleCounts,
} from "./readpage.ts";
import {
  readConsultations,
  readEvents,
  readFirstIterationSince,
  readKeys,
  readLatest,
  readMetrics,
  readSampleFeed,
  readSampleIterations,
  readSamples,
  readSettings,
  readSetValues,
  readThinnedSettings,
  readTierCounts,
  readValues,
} from "./readrows.ts";
import { readAttempts, readCommands, readControlVersion, readRun, readRuns, readStates } from "./readruns.ts";
import { type RecorderOptions, StoreRecorder } from "./recorder.ts";
import { type Answered, performOnce } from "./requests.ts";
import { type FoundSamples, findSamples, readSample, type SampleQuery } from "./sample-rows.ts";
import type {
  AnswerRow,
  AttemptRow,
  CommandRow,
  ConsultationRow,
  EventRow,
  Feed,
  FeedQuery,
  LatestValue,
  MarkRow,
  MetricRow,
  Position,
  RunRow,
  SampleRow,
  Series,
  SeriesQuery,
  SettingRow,
  StateRow,
} from "./stored-rows.ts";
import { insert } from "./writerows.ts";

export interface StoreOptions {
  /** Refuse to create the file or to change anything in it, except to migrate an older version's schema. */
  readonly readonly?: boolean;
  /** Clock, in Unix milliseconds. */
  readonly now?: () => number;
}

export interface NewCommand {
  readonly kind: CommandKind;
  /** The payload: {key, value} for `set`. */
  readonly payload?: Readonly<Record<string, unknown>>;
  readonly reason?: string;
}

/**
 * Opens a workspace's database, `<workspace>/ballast.db`, and creates it if it does not exist.
 *
 * @example
 * const store = openStore("runs/ballast.db");
 * store.createRun({ id: "demo-1", objective: "...", seed: 1, folder, config, machine, createdAt: Date.now() });
 * const recorder = store.recorder("demo-1", store.startAttempt("demo-1"));
 * recorder.metrics("ppo", 0, { "reward/score_mean": 0.3 });
 * recorder.commit();
 *
 * @throws StoreError if the file is not a Ballast database, is of a newer version, or is missing while `readonly` is set.
 */
export function openStore(path: string, { readonly = false, now = Date.now }: StoreOptions = {}): Store {
  return new Store(openConnection(path, { readonly }), { readonly, now });
}

/** The store of one workspace. Made by `openStore`; ended by `close`. */
export class Store {
  readonly path: string;
  readonly readonly: boolean;
  readonly #connection: Connection;
  readonly #now: () => number;
  readonly #recorders: StoreRecorder[] = [];

  constructor(connection: Connection, { readonly, now }: Required<StoreOptions>) {
    this.path = connection.path;
    this.readonly = readonly;
    this.#connection = connection;
    this.#now = now;
  }

  /**
   * Creates a run.
   * @throws StoreError if a run with this id exists.
   */
  createRun({ id, objective, seed, folder, config, machine, createdAt }: RunRecord): void {
    this.#checkWritable();
    if (this.run(id)) throw new StoreError(`${this.path} has a run ${id} already`, "Give the new run a different id.");
    const texts = { objective: encodeText(objective), folder: encodeText(folder) };
    this.#insert("runs", { id, seed, ...texts, config, machine, created_at: createdAt });
  }

  /** Deletes a run and everything it recorded. Its recorders must be closed first; afterwards readers do not find the run. */
  deleteRun(runId: string): void {
    this.#checkWritable();
    this.#checkRun(runId);
    deleteRun(this.#connection, runId);
  }

  /** Whether training has recorded anything for a run: a metric, an incident or an answer. */
  hasTrained(runId: string): boolean {
    const any = ["series", "incidents", "answers"].map((table) => `SELECT 1 FROM ${table} WHERE run_id = ?1`);
    return this.#connection.get(`${any.join(" UNION ALL ")} LIMIT 1`, [runId]) !== undefined;
  }

  /**
   * Starts the next attempt at a run, as running, and returns its number, from 1.
   *
   * `begins` is the first iteration that it will run: rows of older attempts from there on are superseded at once. If it is not known yet, the
   * recorder's event `resumed`, or else its first metrics, determine it.
   */
  startAttempt(runId: string, { begins }: { begins?: Position } = {}): number {
    this.#checkWritable();
    this.#checkRun(runId);
    const { stage = null, iteration = null } = begins ?? {};
    const at = this.#now();
    return this.#connection.write(() => {
      const attempt = (readAttempts(this.#connection, runId).at(-1)?.attempt ?? 0) + 1;
      const row = { run_id: runId, attempt };
      this.#insert("attempts", { ...row, stage, iteration, started_at: at, host: hostname(), pid: process.pid });
      this.#insert("states", { ...row, state: "running", at });
      this.#connection.run(
        `INSERT INTO heartbeats (run_id, attempt, at, interval_ms, stage, iteration)
         SELECT ?1, ?2, ?3, 5000, (SELECT stage FROM heartbeats WHERE run_id = ?1 AND attempt = ?2 - 1),
           (SELECT iteration FROM heartbeats WHERE run_id = ?1 AND attempt = ?2 - 1)`,
        [runId, attempt, at],
      );
      return attempt;
    });
  }

  /** The recorder of an attempt; each attempt has only one. Its heartbeat continues until it or the store is closed. */
  recorder(runId: string, attempt: number, options?: RecorderOptions): StoreRecorder {
    this.#checkWritable();
    const row = this.attempts(runId).find((candidate) => candidate.attempt === attempt);
    if (!row) throw new StoreError(`run ${runId} has no attempt ${attempt}`, "Start one with startAttempt.");
    const used = "SELECT 1 FROM series WHERE run_id = ? AND attempt = ? LIMIT 1";
    if (this.#connection.get(used, [runId, attempt]))
      throw new StoreError(`attempt ${attempt} of run ${runId} was recorded already`, "Start a new attempt.");
    const place = { runId, attempt, begins: row.begins, now: this.#now };
    const recorder = new StoreRecorder(this.#connection, place, options);
    this.#recorders.push(recorder);
    return recorder;
  }

  /** Gives a run a command, which its trainer reads between iterations; returns its id. Any process may call it. */
  addCommand(runId: string, { kind, payload = {}, reason = "" }: NewCommand): number {
    this.#checkWritable();
    this.#checkRun(runId);
    const row = { kind, payload: encodeJson(payload), reason: encodeText(reason), created_at: this.#now() };
    return this.#insert("commands", { run_id: runId, ...row });
  }

  /** Every run, newest first. */
  runs(): RunRow[] {
    return readRuns(this.#connection, this.#now());
  }

  run(id: string): RunRow | undefined {
    return readRun(this.#connection, id, this.#now());
  }

  /** The attempts at a run, oldest first. */
  attempts(runId: string): AttemptRow[] {
    return readAttempts(this.#connection, runId);
  }

  /** Every state of a run, oldest first. */
  states(runId: string): StateRow[] {
    return readStates(this.#connection, runId);
  }

  /** Every command given to a run, or the newest ones, oldest first. */
  commands(runId: string, query?: { readonly newest?: number }): CommandRow[] {
    return readCommands(this.#connection, runId, query);
  }

  /** A run's metrics, in the order of their first record. */
  keys(runId: string): { stage: Stage; key: string }[] {
    return readKeys(this.#connection, runId);
  }

  /** One metric over its current iterations, in at most `maxPoints` points. */
  series(runId: string, stage: Stage, key: string, query?: SeriesQuery): Series {
    return readSeries(this.#connection, { runId, stage, key }, query);
  }

  /** Metric rows from a cursor. */
  metrics(runId: string, query?: FeedQuery): Feed<MetricRow> {
    return readMetrics(this.#connection, runId, query);
  }

  /** The newest current value of each metric of a stage, or of the named ones, with its iteration; metrics without a value are left out. */
  latest(runId: string, stage: Stage, keys?: readonly string[]): LatestValue[] {
    return readLatest(this.#connection, runId, { stage, keys });
  }

  /** The newest current iteration of a stage; null if it has none. */
  newestIteration(runId: string, stage: Stage): number | null {
    return readNewestIteration(this.#connection, runId, stage);
  }

  /** When the newest iterations of a stage in one attempt were recorded, newest first. */
  recorded(runId: string, options: { attempt: number; stage: Stage; limit: number }): Recorded[] {
    return readRecorded(this.#connection, { runId, ...options });
  }

  /** The current value of each metric at one iteration. */
  values(runId: string, stage: Stage, iteration: number): Record<string, number> {
    return readValues(this.#connection, runId, stage, iteration);
  }

  /** The number of a run's alerts, or interventions, of each tier, over all of its attempts. */
  countByTier(runId: string, kind: "alert" | "intervention"): Record<Tier, number> {
    return readTierCounts(this.#connection, runId, kind);
  }

  /** How often each rule has fired and acted in current iterations; rules that never did are absent. */
  ruleCounts(runId: string): RuleCount[] {
    return readRuleCounts(this.#connection, runId);
  }

  /** The first iteration of a stage that was recorded at `at` (Unix milliseconds) or later; undefined if there is none. */
  firstIterationSince(runId: string, stage: Stage, at: number): number | undefined {
    return readFirstIterationSince(this.#connection, { runId, stage, at });
  }

  /** Events from a cursor. */
  events(runId: string, query?: FeedQuery & { readonly kind?: EventKind }): Feed<EventRow> {
    return readEvents(this.#connection, runId, query);
  }

  /** The newest events before a `seq`, oldest first. */
  eventsBefore(runId: string, query: EventsBefore): EventRow[] {
    return readEventsBefore(this.#connection, { runId, ...query });
  }

  /** The ends of the tables that readers follow. */
  ends(): Ends {
    return readEnds(this.#connection);
  }

  /** Visits what several runs recorded between two cursors, in the order of commits. */
  newMetrics(rows: NewRows<MetricRow>): void {
    readNewMetrics(this.#connection, rows);
  }

  newEvents(rows: NewRows<EventRow>): void {
    readNewEvents(this.#connection, rows);
  }

  /** Whether a newer attempt has superseded iterations since this cursor of metrics. */
  takenOver(runId: string, after: number): boolean {
    return readTakenOver(this.#connection, runId, after);
  }

  /** Changes of hyperparameters from a cursor; with `key` only those of one: its history over all attempts. */
  settings(runId: string, query?: FeedQuery & { readonly key?: string }): Feed<SettingRow> {
    return readSettings(this.#connection, runId, query);
  }

  /** Current settings of a run, oldest first, at most about `most` of each, with the number each has in all. */
  thinnedSettings(runId: string, most: number): (SettingRow & { readonly of: number })[] {
    return readThinnedSettings(this.#connection, runId, most);
  }

  /** The newest current value of each setting that was set, without schedules and interventions, which multiply it. */
  setValues(runId: string): ReadonlyMap<string, SettingRow["value"]> {
    return readSetValues(this.#connection, runId);
  }

  /** What the stability controller was shown, from a cursor; the newest attempt's unless `current` is false. */
  consultations(runId: string, query?: FeedQuery): Feed<ConsultationRow> {
    return readConsultations(this.#connection, runId, query);
  }

  /** Incidents of the workspace, or of one run, oldest first, each with its decision. */
  incidents(query?: IncidentQuery): IncidentRecord[] {
    return readIncidents(this.#connection, query);
  }

  /** How many incidents of each run wait for a decision; runs without any are absent. */
  openIncidents(): ReadonlyMap<string, number> {
    return readOpenIncidents(this.#connection);
  }

  incident(id: number): IncidentRecord | undefined {
    return readIncidents(this.#connection, { id })[0];
  }

  /**
   * Records an operator's decision on an incident, which its trainer reads. Any process may call it.
   *
   * @throws StoreError if there is no such incident, or it was decided already: the first decision holds.
   */
  decide(id: number, decision: Omit<IncidentDecision, "decidedAt">): void {
    this.#checkWritable();
    decideIncident(this.#connection, id, { ...decision, decidedAt: this.#now() });
  }

  /** Records a human judgement of a run's responses; returns its number. Any process may call it. */
  addRating(runId: string, rating: NewRating): number {
    this.#checkWritable();
    this.#checkRun(runId);
    return insertRating(this.#connection, runId, { ...rating, at: this.#now() });
  }

  /** Human judgements of a run's responses, oldest first. */
  ratings(runId: string): RatingRecord[] {
    return readRatings(this.#connection, runId);
  }

  /** Sets or removes a user's mark on a run; returns its number. Any process may call it. */
  addMark(runId: string, mark: NewMark): number {
    this.#checkWritable();
    this.#checkRun(runId);
    return insertMark(this.#connection, runId, { ...mark, at: this.#now() });
  }

  /** The marks in effect, of one run or of all, oldest first. */
  marks(runId?: string): MarkRow[] {
    return readMarks(this.#connection, runId ?? null);
  }

  /** A version that differs as soon as a run's recorded state, attempts, incidents, decisions, commands or their application do. */
  controlVersion(runId: string): string {
    return readControlVersion(this.#connection, runId);
  }

  /**
   * Performs a request once: the same key gets the same answer again, in any process and after a restart. What `perform` writes through this store
   * and the record of the key are one transaction; if it throws, neither is written.
   *
   * @param hash of everything in the request.
   * @throws StoreError if the key was used for a different request.
   */
  once(key: string, hash: string, perform: () => Answered): Answered & { readonly repeated: boolean } {
    this.#checkWritable();
    return performOnce(this.#connection, { key, hash, now: this.#now(), perform });
  }

  /** Current answers to the monitoring set: the policy's after an iteration, or the reference's. */
  answers(runId: string, of: number | "reference"): AnswerRow[] {
    return readAnswers(this.#connection, runId, of);
  }

  /** The iterations after which the policy answered the monitoring set. */
  answerIterations(runId: string, model: AnsweringModel = "policy"): number[] {
    return readAnswerIterations(this.#connection, runId, model);
  }

  /** The samples of a run that match a query; see `SampleQuery`. */
  findSamples(runId: string, query: SampleQuery): FoundSamples {
    return findSamples(this.#connection, runId, query);
  }

  /** A sample of this run, superseded or not. */
  sample(runId: string, seq: number): SampleRow | undefined {
    return readSample(this.#connection, runId, seq);
  }

  /** The current samples of one iteration. */
  samples(runId: string, stage: Stage, iteration: number): SampleRow[] {
    return readSamples(this.#connection, runId, stage, iteration);
  }

  /** Samples from a cursor. */
  sampleFeed(runId: string, query?: FeedQuery): Feed<SampleRow> {
    return readSampleFeed(this.#connection, runId, query);
  }

  /** The iterations of a stage that have current samples. */
  sampleIterations(runId: string, stage: Stage): number[] {
    return readSampleIterations(this.#connection, runId, stage);
  }

  /** Performs checks and writes atomically: other processes' writes come before or after, and if it throws, nothing is kept. */
  together<Result>(body: () => Result): Result {
    this.#checkWritable();
    return this.#connection.write(body);
  }

  /** Runs several queries on one snapshot of the database. Keep it short: checkpoints wait for it. */
  snapshot<Result>(body: () => Result): Result {
    return this.#connection.read(body);
  }

  /** False if the database was removed or replaced since it was opened: reads are then outdated, and writes are lost. */
  inPlace(): boolean {
    return this.#connection.inPlace();
  }

  /** A number that changes whenever a different process or connection has written: cheap to poll. */
  dataVersion(): number {
    return this.#connection.get<{ data_version: number }>("PRAGMA data_version")!.data_version;
  }

  /** Closes the recorders that are still open, then the file. */
  close(): void {
    for (const recorder of this.#recorders) recorder.close();
    this.#connection.close();
  }

  #insert(table: string, row: Parameters<typeof insert>[1]): number {
    const { sql, parameters } = insert(table, row);
    return this.#connection.run(sql, parameters);
  }

  #checkRun(runId: string): void {
    if (!this.run(runId)) throw new StoreError(`${this.path} has no run ${runId}`);
  }

  #checkWritable(): void {
    if (this.readonly) throw new StoreError(`${this.path} was opened read-only`);
  }
}
