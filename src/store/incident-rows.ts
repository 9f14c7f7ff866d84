/** Queries for incidents and operators' decisions on them, and the one insert whose order matters. */
import type { IncidentDecision, IncidentEvidence, IncidentRecord } from "../types/alerts.ts";
import type { Stage } from "../types/records.ts";
import { StoreError } from "../util/errors.ts";
import type { Connection } from "./connection.ts";
import { decodeJson, decodeText, encodeJson, encodeText } from "./encode-value.ts";
import { insert } from "./writerows.ts";

export interface IncidentQuery {
  readonly run?: string;
  readonly id?: number;
  /** Only those without a decision, or only those with one. */
  readonly open?: boolean;
  /** Most incidents to return, the newest ones; all by default. */
  readonly newest?: number;
}

type Text = string | Uint8Array;

interface StoredIncident {
  readonly id: number;
  readonly run_id: string;
  readonly attempt: number;
  readonly stage: Stage;
  readonly iteration: number;
  readonly rule: Text;
  readonly summary: Text;
  readonly evidence: string;
  readonly opened_at: number;
  readonly action: IncidentDecision["action"] | null;
  readonly to: number | null;
  readonly changes: string | null;
  readonly reason: Text | null;
  readonly decided_at: number | null;
}

/** Incidents, oldest first. */
export function readIncidents(
  connection: Connection,
  { run, id, open, newest = Number.MAX_SAFE_INTEGER }: IncidentQuery = {},
): IncidentRecord[] {
  const conditions = [
    ...(run === undefined ? [] : ["i.run_id = ?"]),
    ...(id === undefined ? [] : ["i.id = ?"]),
    ...(open === undefined ? [] : [`d.action IS ${open ? "" : "NOT "}NULL`]),
  ];
  const where = conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : "";
  const parameters = [...(run === undefined ? [] : [run]), ...(id === undefined ? [] : [id]), newest];
  return connection
    .all<StoredIncident>(
      `SELECT i.*, d.action, d."to", d.changes, d.reason, d.decided_at
       FROM incidents AS i LEFT JOIN decisions AS d ON d.incident_id = i.id ${where} ORDER BY i.id DESC LIMIT ?`,
      parameters,
    )
    .reverse()
    .map(incidentOf);
}

function incidentOf(row: StoredIncident): IncidentRecord {
  return {
    id: row.id,
    runId: row.run_id,
    attempt: row.attempt,
    stage: row.stage,
    iteration: row.iteration,
    rule: decodeText(row.rule),
    summary: decodeText(row.summary),
    evidence: decodeJson(row.evidence) as IncidentEvidence,
    openedAt: row.opened_at,
    decision: row.action === null ? null : decisionOf(row, row.action),
  };
}

function decisionOf(row: StoredIncident, action: IncidentDecision["action"]): IncidentDecision {
  return {
    action,
    to: row.to,
    changes: decodeJson(row.changes!) as IncidentDecision["changes"],
    reason: decodeText(row.reason!),
    decidedAt: row.decided_at!,
  };
}

/** Records a decision. If two processes decide at once, the second one gets an error saying that the first was faster. */
export function decideIncident(connection: Connection, id: number, decision: IncidentDecision): void {
  const { action, to, changes, reason, decidedAt } = decision;
  connection.write(() => {
    const incident = readIncidents(connection, { id })[0];
    if (incident === undefined)
      throw new StoreError(`${connection.path} has no incident ${id}`, "`ballast incidents list` shows those it has.");
    if (incident.decision !== null) throw alreadyDecided(incident);
    const texts = { changes: encodeJson(changes), reason: encodeText(reason) };
    const row = insert("decisions", { incident_id: id, action, to, ...texts, decided_at: decidedAt });
    connection.run(row.sql, row.parameters);
    // The trainer reads them like any change that an operator requests, and applies them again when it resumes there.
    for (const { key, value } of changes) {
      const payload = encodeJson({ key, value });
      const command = {
        run_id: incident.runId,
        kind: "set",
        payload,
        reason: encodeText(reason),
        created_at: decidedAt,
      };
      const { sql, parameters } = insert("commands", command);
      connection.run(sql, parameters);
    }
  });
}

/** Why an incident cannot be decided again. `resume` is the command line that continues its run. */
export function alreadyDecided(
  { id, runId, decision }: Pick<IncidentRecord, "id" | "runId" | "decision">,
  resume = `ballast resume ${runId}`,
): StoreError {
  const { action, to, reason, decidedAt } = decision!;
  const target = to === null ? "" : ` to ${to}`;
  return new StoreError(
    `incident ${id} was decided ${new Date(decidedAt).toISOString()}: ${action}${target}, "${reason}"`,
    action === "stop" ? "The first decision holds." : `The first decision holds; to continue the run: ${resume}`,
  );
}
