/** Commands that operators give a run, and when its trainer applied them. */
import type { CommandKind, Stage } from "../types/records.ts";
import type { Connection, Parameter } from "./connection.ts";
import { decodeJson, decodeText, encodeJson, encodeText, textIn, textOrNull } from "./encode-value.ts";
import type { CommandRow } from "./stored-rows.ts";
import { checkWritableRun } from "./stored-runs.ts";
import { insertSealed } from "./writerows.ts";

export interface NewCommand {
  readonly kind: CommandKind;
  /** The payload: {key, value} for `set`. */
  readonly payload?: Readonly<Record<string, unknown>>;
  readonly reason?: string;
  /** Who gives it. */
  readonly operator?: string;
}

type Text = string | Uint8Array;

interface StoredCommand {
  readonly id: number;
  readonly run_id: string;
  readonly kind: CommandKind;
  readonly payload: string;
  readonly reason: Text;
  readonly created_at: number;
  readonly operator: Text | null;
  readonly stage: Stage | null;
  readonly iteration: number | null;
}

/** A command with its newest application, if there is one. */
const commandsSql = `SELECT c.*, a.stage, a.iteration FROM commands AS c
  LEFT JOIN applications AS a ON a.seq = (SELECT max(seq) FROM applications WHERE command_id = c.id)`;

export function createCommandRows(connection: Connection, now: () => number) {
  return {
    /** Gives a run a command, which its trainer reads between iterations; returns its id. Any process may call it. */
    addCommand(runId: string, { kind, payload = {}, reason = "", operator }: NewCommand): number {
      checkWritableRun(connection, runId);
      const texts = { payload: encodeJson(payload), reason: encodeText(reason), operator: textOrNull(operator) };
      const at = now();
      const row = { run_id: runId, kind, ...texts, created_at: at };
      return insertSealed(connection, [{ table: "commands", row }], { runId, at })[0]!;
    },

    /** Every command given to a run, or the newest ones, oldest first. */
    commands(runId: string, { newest = Number.MAX_SAFE_INTEGER }: { readonly newest?: number } = {}): CommandRow[] {
      const sql = `${commandsSql} WHERE c.run_id = ? ORDER BY c.id DESC LIMIT ?`;
      return readCommandRows(connection, sql, [runId, newest]).reverse();
    },
  };
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
    operator: textIn(row.operator),
    createdAt: row.created_at,
    appliedStage: row.stage,
    appliedIteration: row.iteration,
  }));
}
