/** Runs with their derived state, their attempts and states. */
import { hostname } from "node:os";
import type { RunRecord, RunState, Stage } from "../types/records.ts";
import { StoreError } from "../util/errors.ts";
import type { Connection } from "./connection.ts";
import { decodeText, encodeText, textIn, textOrNull } from "./encode-value.ts";
import type { AttemptRow, By, DerivedState, Position, RunRow, StateRow } from "./stored-rows.ts";
import { insertSealed } from "./writerows.ts";

/** A running attempt whose last heartbeat is older than this many intervals counts as dead. */
const missedBeats = 3;

type Text = string | Uint8Array;

export interface NewAttempt extends By {
  readonly begins?: Position;
  /** The machine record, as JSON. */
  readonly machine?: string | null;
}

interface StoredRun {
  readonly id: string;
  readonly objective: Text;
  readonly seed: number;
  readonly folder: Text;
  readonly config: string;
  readonly machine: string;
  readonly created_at: number;
  readonly attempt: number | null;
  readonly begins_stage: Stage | null;
  readonly begins_iteration: number | null;
  readonly host: string | null;
  readonly pid: number | null;
  readonly beat: number | null;
  readonly interval_ms: number | null;
  readonly stage: Stage | null;
  readonly iteration: number | null;
  readonly state: RunState | null;
}

const runsSql = `SELECT runs.*, a.attempt, a.stage AS begins_stage, a.iteration AS begins_iteration, a.host, a.pid,
    h.at AS beat, h.interval_ms, h.stage, h.iteration,
    (SELECT state FROM states WHERE run_id = runs.id AND attempt = a.attempt ORDER BY seq DESC LIMIT 1) AS state
  FROM runs
  LEFT JOIN attempts AS a ON a.run_id = runs.id
    AND a.attempt = (SELECT max(attempt) FROM attempts WHERE run_id = runs.id)
  LEFT JOIN heartbeats AS h ON h.run_id = runs.id AND h.attempt = a.attempt`;

/** @throws StoreError if the database was opened read-only or has no such run. */
export function checkWritableRun(connection: Connection, runId: string): void {
  connection.checkWritable();
  if (!exists(connection, runId)) throw new StoreError(`${connection.path} has no run ${runId}`);
}

function exists(connection: Connection, runId: string): boolean {
  return connection.get("SELECT 1 FROM runs WHERE id = ?", [runId]) !== undefined;
}

/** Heartbeats are judged against the time `now`. */
export function createRunRows(connection: Connection, now: () => number) {
  /** The attempts at a run, oldest first. */
  const attempts = (runId: string): AttemptRow[] => {
    return connection
      .all<{
        attempt: number;
        stage: Stage | null;
        iteration: number | null;
        started_at: number;
        host: string;
        pid: number;
        operator: Text | null;
        machine: string | null;
      }>("SELECT * FROM attempts WHERE run_id = ? ORDER BY attempt", [runId])
      .map(({ attempt, stage, iteration, started_at, host, pid, operator, machine }) => ({
        runId,
        attempt,
        begins: positionOf(stage, iteration),
        startedAt: started_at,
        host,
        pid,
        operator: textIn(operator),
        machine,
      }));
  };
  return {
    attempts,

    /**
     * Creates a run.
     * @throws StoreError if a run with this id exists.
     */
    createRun({ id, objective, seed, folder, config, machine, createdAt }: RunRecord): void {
      connection.checkWritable();
      if (exists(connection, id))
        throw new StoreError(`${connection.path} has a run ${id} already`, "Give the new run a different id.");
      const texts = { objective: encodeText(objective), folder: encodeText(folder) };
      const row = { id, seed, ...texts, config, machine, created_at: createdAt };
      insertSealed(connection, [{ table: "runs", row }], { runId: id, at: now() });
    },

    /** Whether training has recorded anything for a run: a metric, an incident or an answer. */
    hasTrained(runId: string): boolean {
      const any = ["series", "incidents", "answers"].map((table) => `SELECT 1 FROM ${table} WHERE run_id = ?1`);
      return connection.get(`${any.join(" UNION ALL ")} LIMIT 1`, [runId]) !== undefined;
    },

    /**
     * Starts the next attempt at a run, as running, and returns its number, from 1.
     *
     * `begins` is the first iteration that it will run: rows of older attempts from there on are superseded at once. If it is not known yet, the
     * recorder's event `resumed`, or else its first metrics, determine it.
     */
    startAttempt(runId: string, { begins, operator, machine = null }: NewAttempt = {}): number {
      checkWritableRun(connection, runId);
      const { stage = null, iteration = null } = begins ?? {};
      const at = now();
      return connection.write(() => {
        const attempt = (attempts(runId).at(-1)?.attempt ?? 0) + 1;
        const row = { run_id: runId, attempt };
        const where = { stage, iteration, started_at: at, host: hostname(), pid: process.pid };
        insertSealed(
          connection,
          [
            { table: "attempts", row: { ...row, ...where, operator: textOrNull(operator), machine } },
            { table: "states", row: { ...row, state: "running", at } },
          ],
          { runId, at },
        );
        connection.run(
          `INSERT INTO heartbeats (run_id, attempt, at, interval_ms, stage, iteration)
           SELECT ?1, ?2, ?3, 5000, (SELECT stage FROM heartbeats WHERE run_id = ?1 AND attempt = ?2 - 1),
             (SELECT iteration FROM heartbeats WHERE run_id = ?1 AND attempt = ?2 - 1)`,
          [runId, attempt, at],
        );
        return attempt;
      });
    },

    /** Every run, newest first. */
    runs(): RunRow[] {
      const time = now();
      return connection.all<StoredRun>(`${runsSql} ORDER BY runs.seq DESC`).map((row) => runOf(row, time));
    },

    run(id: string): RunRow | undefined {
      const row = connection.get<StoredRun>(`${runsSql} WHERE runs.id = ?`, [id]);
      return row && runOf(row, now());
    },

    /** Every state of a run, oldest first. */
    states(runId: string): StateRow[] {
      return connection.all<StateRow>("SELECT seq, attempt, state, at FROM states WHERE run_id = ? ORDER BY seq", [
        runId,
      ]);
    },

    /** A version that differs as soon as a run's recorded state, attempts, incidents, decisions, commands or their application do. */
    controlVersion(runId: string): string {
      const sql = `SELECT
        (SELECT max(attempt) FROM attempts WHERE run_id = ?1) AS attempt,
        (SELECT max(seq) FROM states WHERE run_id = ?1) AS state,
        (SELECT max(id) FROM incidents WHERE run_id = ?1) AS incident,
        (SELECT count(*) FROM incidents JOIN decisions ON incident_id = id WHERE run_id = ?1) AS decided,
        (SELECT max(id) FROM commands WHERE run_id = ?1) AS command,
        (SELECT max(seq) FROM applications WHERE run_id = ?1) AS applied`;
      const row = connection.get<Record<string, number | null>>(sql, [runId])!;
      return ["attempt", "state", "incident", "decided", "command", "applied"].map((name) => row[name] ?? 0).join(".");
    },
  };
}

function runOf(row: StoredRun, now: number): RunRow {
  const alive = row.beat !== null && row.interval_ms !== null && now - row.beat <= missedBeats * row.interval_ms;
  let state: DerivedState = row.state ?? "created";
  if (state === "running" && !alive) state = "lost";
  return {
    id: row.id,
    objective: decodeText(row.objective),
    seed: row.seed,
    folder: decodeText(row.folder),
    config: row.config,
    machine: row.machine,
    createdAt: row.created_at,
    state,
    alive: alive && (state === "running" || state === "paused"),
    attempt: row.attempt ?? 0,
    begins: positionOf(row.begins_stage, row.begins_iteration),
    position: positionOf(row.stage, row.iteration),
    lastBeat: row.beat,
    host: row.host,
    pid: row.pid,
  };
}

function positionOf(stage: Stage | null, iteration: number | null): Position | null {
  return stage === null || iteration === null ? null : { stage, iteration };
}
