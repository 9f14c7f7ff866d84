/** A workspace's store: runs, their records and their commands, in one SQLite file that many processes may have open. */
import { join } from "node:path";
import { StoreError } from "../util/errors.ts";
import { createAnswerRows } from "./answer-rows.ts";
import { createChain } from "./chain.ts";
import { createCommandRows } from "./command-rows.ts";
import { type Connection, openConnection } from "./connection.ts";
import { createConsultationRows } from "./consultation-rows.ts";
import { createDeletion } from "./deletion.ts";
import { createEventRows } from "./event-rows.ts";
import { createFollowing } from "./following.ts";
import { createIncidentRows } from "./incident-rows.ts";
import { createMarkRows } from "./mark-rows.ts";
import { createMetricRows } from "./metric-rows.ts";
import { createMetricSeries } from "./metric-series.ts";
import { createRatingRows } from "./rating-rows.ts";
import { type RecorderOptions, StoreRecorder } from "./recorder.ts";
import { createRequests } from "./requests.ts";
import { createSampleRows } from "./sample-rows.ts";
import { createSettingRows } from "./setting-rows.ts";
import { createRunRows } from "./stored-runs.ts";

export interface StoreOptions {
  /** Refuse to create the file or to change anything in it, except to migrate an older version's schema. */
  readonly readonly?: boolean;
  /** Clock, in Unix milliseconds. */
  readonly now?: () => number;
}

/** The store of one workspace: what each file of rows offers, and what all of them share. Made by `openStore`; ended by `close`. */
export type Store = ReturnType<typeof createStore>;

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
  return createStore(openConnection(path, { readonly }), { now });
}

/** Where a workspace's database is. */
export function databaseOf(workspace: string): string {
  return join(workspace, "ballast.db");
}

/** What `body` makes of a workspace's store, which is open only meanwhile and by default cannot be written to. */
export function withStore<Result>(
  workspace: string,
  body: (store: Store) => Result,
  options: StoreOptions = { readonly: true },
): Result {
  const store = openStore(databaseOf(workspace), options);
  try {
    return body(store);
  } finally {
    store.close();
  }
}

/** Makes the store on a connection. */
export function createStore(connection: Connection, { now = Date.now }: Pick<StoreOptions, "now"> = {}) {
  const recorders: StoreRecorder[] = [];
  const runRows = createRunRows(connection, now);
  return {
    path: connection.path,
    readonly: connection.readonly,
    ...runRows,
    ...createDeletion(connection),
    ...createCommandRows(connection, now),
    ...createMetricRows(connection),
    ...createMetricSeries(connection),
    ...createEventRows(connection),
    ...createFollowing(connection),
    ...createSettingRows(connection),
    ...createConsultationRows(connection),
    ...createIncidentRows(connection, now),
    ...createRatingRows(connection, now),
    ...createMarkRows(connection, now),
    ...createRequests(connection, now),
    ...createAnswerRows(connection),
    ...createSampleRows(connection),
    ...createChain(connection),

    /** The recorder of an attempt; each attempt has only one. Its heartbeat continues until it or the store is closed. */
    recorder(runId: string, attempt: number, options?: RecorderOptions): StoreRecorder {
      connection.checkWritable();
      const row = runRows.attempts(runId).find((candidate) => candidate.attempt === attempt);
      if (!row) throw new StoreError(`run ${runId} has no attempt ${attempt}`, "Start one with startAttempt.");
      const used = "SELECT 1 FROM series WHERE run_id = ? AND attempt = ? LIMIT 1";
      if (connection.get(used, [runId, attempt]))
        throw new StoreError(`attempt ${attempt} of run ${runId} was recorded already`, "Start a new attempt.");
      const recorder = new StoreRecorder(connection, { runId, attempt, begins: row.begins, now }, options);
      recorders.push(recorder);
      return recorder;
    },

    /** Performs checks and writes atomically: other processes' writes come before or after, and if it throws, nothing is kept. */
    together<Result>(body: () => Result): Result {
      connection.checkWritable();
      return connection.write(body);
    },

    /** Runs several queries on one snapshot of the database. Keep it short: checkpoints wait for it. */
    snapshot: <Result>(body: () => Result): Result => connection.read(body),

    /** False if the database was removed or replaced since it was opened: reads are then outdated, and writes are lost. */
    inPlace: (): boolean => connection.inPlace(),

    /** A number that changes whenever a different process or connection has written: cheap to poll. */
    dataVersion: (): number => connection.get<{ data_version: number }>("PRAGMA data_version")!.data_version,

    /** Closes the recorders that are still open, then the file. */
    close(): void {
      for (const recorder of recorders) recorder.close();
      connection.close();
    },
  };
}
