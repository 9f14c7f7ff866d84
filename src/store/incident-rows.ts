/** Incidents and operators' decisions on them. */
import type { IncidentDecision, IncidentEvidence, IncidentRecord } from "../types/alerts.ts";
import type { Stage } from "../types/records.ts";
import { StoreError } from "../util/errors.ts";
import type { Connection } from "./connection.ts";
import { decodeJson, decodeText, encodeJson, encodeText, textIn, textOrNull } from "./encode-value.ts";
import { causeOf } from "./setting-rows.ts";
import type { By } from "./stored-rows.ts";
import { insertSealed } from "./writerows.ts";

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
  readonly operator: Text | null;
}

export function createIncidentRows(connection: Connection, now: () => number) {
  /** Incidents of the workspace, or of one run, oldest first, each with its decision. */
  const incidents = ({ run, id, open, newest = Number.MAX_SAFE_INTEGER }: IncidentQuery = {}): IncidentRecord[] => {
    const conditions = [
      ...(run === undefined ? [] : ["i.run_id = ?"]),
      ...(id === undefined ? [] : ["i.id = ?"]),
      ...(open === undefined ? [] : [`d.action IS ${open ? "" : "NOT "}NULL`]),
    ];
    const where = conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : "";
    const parameters = [...(run === undefined ? [] : [run]), ...(id === undefined ? [] : [id]), newest];
    return connection
      .all<StoredIncident>(
        `SELECT i.*, d.action, d."to", d.changes, d.reason, d.decided_at, d.operator
         FROM incidents AS i LEFT JOIN decisions AS d ON d.incident_id = i.id ${where} ORDER BY i.id DESC LIMIT ?`,
        parameters,
      )
      .reverse()
      .map(incidentOf);
  };
  const incident = (id: number): IncidentRecord | undefined => incidents({ id })[0];
  return {
    incidents,
    incident,

    /** How many incidents of each run wait for a decision; runs without any are absent. */
    openIncidents(): ReadonlyMap<string, number> {
      const rows = connection.all<{ run_id: string; open: number }>(
        `SELECT run_id, count(*) AS open FROM incidents
         WHERE id NOT IN (SELECT incident_id FROM decisions) GROUP BY run_id`,
      );
      return new Map(rows.map(({ run_id, open }) => [run_id, open]));
    },

    /**
     * Records an operator's decision on an incident, which its trainer reads. Any process may call it; if two processes decide at once, the second
     * one gets an error saying that the first was faster.
     *
     * @throws StoreError if there is no such incident, or it was decided already: the first decision holds.
     */
    decide(
      id: number,
      { action, to, changes, reason }: Omit<IncidentDecision, "decidedAt" | "operator">,
      { operator }: By = {},
    ): void {
      connection.checkWritable();
      const at = now();
      connection.write(() => {
        const found = incident(id);
        if (found === undefined)
          throw new StoreError(
            `${connection.path} has no incident ${id}`,
            "`ballast incidents list` shows those it has.",
          );
        if (found.decision !== null) throw alreadyDecided(found);
        const { runId } = found;
        const given = { reason: encodeText(reason), operator: textOrNull(operator) };
        const decision = { incident_id: id, action, to, changes: encodeJson(changes), ...given, decided_at: at };
        // The trainer reads them like any change that an operator requests, and applies them again when it resumes there.
        const commands = changes.map(({ key, value }) => {
          const row = { run_id: runId, kind: "set", payload: encodeJson({ key, value }), ...given, created_at: at };
          return { table: "commands", row } as const;
        });
        insertSealed(connection, [{ table: "decisions", row: decision }, ...commands], { runId, at });
      });
    },
  };
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
    evidence: evidenceOf(row.evidence),
    openedAt: row.opened_at,
    decision: row.action === null ? null : decisionOf(row, row.action),
  };
}

function evidenceOf(stored: string): IncidentEvidence {
  const evidence = decodeJson(stored) as IncidentEvidence;
  return { ...evidence, changes: evidence.changes.map((change) => ({ ...change, cause: causeOf(change.cause) })) };
}

function decisionOf(row: StoredIncident, action: IncidentDecision["action"]): IncidentDecision {
  return {
    action,
    to: row.to,
    changes: decodeJson(row.changes!) as IncidentDecision["changes"],
    reason: decodeText(row.reason!),
    decidedAt: row.decided_at!,
    operator: textIn(row.operator),
  };
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
