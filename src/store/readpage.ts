/** Queries for a page's overview of a run: its progress, its pace, how often each rule fired. */
import type { Stage } from "../types/records.ts";
import type { Connection } from "./connection.ts";

export interface Recorded {
  readonly iteration: number;
  /** Time in Unix milliseconds. */
  readonly at: number;
}

/** The newest iterations of a stage in one attempt and when they were recorded, newest first. */
export function readRecorded(
  connection: Connection,
  options: { readonly runId: string; readonly attempt: number; readonly stage: Stage; readonly limit: number },
): Recorded[] {
  const { runId, attempt, stage, limit } = options;
  return connection.all<Recorded>(
    `SELECT iteration, at FROM spans WHERE run_id = ? AND attempt = ? AND stage = ?
     ORDER BY iteration DESC, first_seq DESC LIMIT ?`,
    [runId, attempt, stage, limit],
  );
}

/** The newest current iteration of a stage; null if it has none. */
export function readNewestIteration(connection: Connection, runId: string, stage: Stage): number | null {
  const attempts = connection.all<{ attempt: number; newest: number | null; ends: number | null }>(
    `SELECT a.attempt,
       (SELECT max(iteration) FROM spans WHERE run_id = a.run_id AND attempt = a.attempt AND stage = ?1) AS newest,
       (SELECT min(CASE WHEN later.stage = ?1 THEN later.iteration
          WHEN ${rank("later.stage")} < ${rank("?1")} THEN 0 END)
        FROM attempts AS later WHERE later.run_id = a.run_id AND later.attempt > a.attempt) AS ends
     FROM attempts AS a WHERE a.run_id = ?2`,
    [stage, runId],
  );
  const current = attempts.map(({ newest, ends }) =>
    newest === null ? -1 : Math.min(newest, (ends ?? Number.POSITIVE_INFINITY) - 1),
  );
  const newest = Math.max(-1, ...current);
  return newest < 0 ? null : newest;
}

export interface RuleCount {
  readonly rule: string;
  /** Number of alerts in current iterations. */
  readonly spoke: number;
  /** Number of interventions in current iterations. */
  readonly acted: number;
  /** Iteration of the rule's newest alert. */
  readonly lastSpoke: number | null;
}

export function readRuleCounts(connection: Connection, runId: string): RuleCount[] {
  return connection.all<RuleCount>(
    `SELECT rule, sum(kind = 'alert') AS spoke, sum(kind = 'intervention') AS acted,
       max(CASE WHEN kind = 'alert' THEN iteration END) AS lastSpoke
     FROM (SELECT kind, iteration, json_extract(data, '$.' || kind || '.rule') AS rule FROM event_rows
       WHERE run_id = ? AND kind IN ('alert', 'intervention') AND NOT superseded)
     WHERE typeof(rule) = 'text' GROUP BY rule`,
    [runId],
  );
}

/** How many incidents of each run wait for a decision; runs without any are absent. */
export function readOpenIncidents(connection: Connection): ReadonlyMap<string, number> {
  const rows = connection.all<{ run_id: string; open: number }>(
    `SELECT run_id, count(*) AS open FROM incidents
     WHERE id NOT IN (SELECT incident_id FROM decisions) GROUP BY run_id`,
  );
  return new Map(rows.map(({ run_id, open }) => [run_id, open]));
}

function rank(stage: string): string {
  return `CASE ${stage} WHEN 'sft' THEN 0 WHEN 'reward' THEN 1 ELSE 2 END`;
}
