/** Queries for runs: their derived state, attempts, states and commands. */
import type { CommandKind, RunState, Stage } from "../types/records.ts";
import type { Connection, Parameter } from "./connection.ts";
import { decodeJson, decodeText } from "./encode-value.ts";
import type { AttemptRow, CommandRow, DerivedState, Position, RunRow, StateRow } from "./stored-rows.ts";

/** A running attempt whose last heartbeat is older than this many intervals counts as dead. */
export const missedBeats = 3;

type Text = string | Uint8Array;

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

/** Every run of the workspace, newest first. Heartbeats are judged against the time `now`. */
export function readRuns(connection: Connection, now: number): RunRow[] {
  return connection.all<StoredRun>(`${runsSql} ORDER BY runs.seq DESC`).map((row) => runOf(row, now));
}

export function readRun(connection: Connection, id: string, now: number): RunRow | undefined {
  const row = connection.get<StoredRun>(`${runsSql} WHERE runs.id = ?`, [id]);
  return row && runOf(row, now);
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

/** The attempts of a run, oldest first. */
export function readAttempts(connection: Connection, runId: string): AttemptRow[] {
  return connection
    .all<{
      attempt: number;
      stage: Stage | null;
      iteration: number | null;
      started_at: number;
      host: string;
      pid: number;
    }>("SELECT * FROM attempts WHERE run_id = ? ORDER BY attempt", [runId])
    .map(({ attempt, stage, iteration, started_at, host, pid }) => ({
      runId,
      attempt,
      begins: positionOf(stage, iteration),
      startedAt: started_at,
      host,
      pid,
    }));
}

/** Every state of a run, oldest first. */
export function readStates(connection: Connection, runId: string): StateRow[] {
  return connection.all<StateRow>("SELECT seq, attempt, state, at FROM states WHERE run_id = ? ORDER BY seq", [runId]);
}

interface StoredCommand {
  readonly id: number;
  readonly run_id: string;
  readonly kind: CommandKind;
  readonly payload: string;
  readonly reason: Text;
  readonly created_at: number;
  readonly stage: Stage | null;
  readonly iteration: number | null;
}

/** A command with its newest application, if there is one. */
const commandsSql = `SELECT c.*, a.stage, a.iteration FROM commands AS c
  LEFT JOIN applications AS a ON a.seq = (SELECT max(seq) FROM applications WHERE command_id = c.id)`;

/** Every command given to a run, or the newest ones, oldest first. */
export function readCommands(
  connection: Connection,
  runId: string,
  { newest = Number.MAX_SAFE_INTEGER }: { readonly newest?: number } = {},
): CommandRow[] {
  const sql = `${commandsSql} WHERE c.run_id = ? ORDER BY c.id DESC LIMIT ?`;
  return readCommandRows(connection, sql, [runId, newest]).reverse();
}

/** Commands that no attempt has applied, oldest first. */
export function readPendingCommands(connection: Connection, runId: string): CommandRow[] {
  return readCommandRows(connection, `${commandsSql} WHERE c.run_id = ? AND a.seq IS NULL ORDER BY c.id`, [runId]);
}

/** Commands that attempts older than `attempt` applied just before this iteration, in the order of their first application. */
export function readCommandsAppliedAt(
  connection: Connection,
  options: { runId: string; attempt: number; stage: Stage; iteration: number },
): CommandRow[] {
  const { runId, attempt, stage, iteration } = options;
  return readCommandRows(
    connection,
    `${commandsSql}
     JOIN (SELECT command_id, min(seq) AS first FROM applications
       WHERE run_id = ? AND stage = ? AND iteration = ? AND attempt < ? GROUP BY command_id) AS earlier
     ON earlier.command_id = c.id ORDER BY earlier.first`,
    [runId, stage, iteration, attempt],
  );
}

function readCommandRows(connection: Connection, sql: string, parameters: readonly Parameter[]): CommandRow[] {
  return connection.all<StoredCommand>(sql, parameters).map((row) => ({
    id: row.id,
    runId: row.run_id,
    kind: row.kind,
    payload: decodeJson(row.payload) as CommandRow["payload"],
    reason: decodeText(row.reason),
    createdAt: row.created_at,
    appliedStage: row.stage,
    appliedIteration: row.iteration,
  }));
}

/** A version that grows with every state, attempt, incident, decision, command and application of a run. */
export function readControlVersion(connection: Connection, runId: string): string {
  const sql = `SELECT
      (SELECT max(attempt) FROM attempts WHERE run_id = ?1) AS attempt,
      (SELECT max(seq) FROM states WHERE run_id = ?1) AS state,
      (SELECT max(id) FROM incidents WHERE run_id = ?1) AS incident,
      (SELECT count(*) FROM incidents JOIN decisions ON incident_id = id WHERE run_id = ?1) AS decided,
      (SELECT max(id) FROM commands WHERE run_id = ?1) AS command,
      (SELECT max(seq) FROM applications WHERE run_id = ?1) AS applied`;
  const row = connection.get<Record<string, number | null>>(sql, [runId])!;
  return ["attempt", "state", "incident", "decided", "command", "applied"].map((name) => row[name] ?? 0).join(".");
}
