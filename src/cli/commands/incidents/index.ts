/** `ballast incidents`: shows what stopped runs, with the evidence, and records the operator's decisions. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { configOf, findRun } from "../../../inspect/places.ts";
import { type DecisionOptions, decisionOf } from "../../../operator/decision.ts";
import { operatorName } from "../../../operator/operator-name.ts";
import { alreadyDecided, databaseOf, type Store, withStore } from "../../../store/index.ts";
import type { IncidentRecord } from "../../../types/alerts.ts";
import { UsageError } from "../../../util/errors.ts";
import { printableLine } from "../../../util/sanitize.ts";
import { resumeCommand, selfName, showCommand, workspaceOption } from "../../find-run.ts";
import { jsonLine } from "../../json-line.ts";
import { age } from "../../number-format.ts";
import { table } from "../../table.ts";
import type { Terminal } from "../../terminal.ts";
import { decisionText, incidentLines } from "./incident-text.ts";

interface Common {
  readonly workspace: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

export interface ListOptions extends Common {
  /** Only incidents of this run. */
  readonly run?: string;
  /** Only incidents that wait for a decision. */
  readonly open?: boolean;
}

export async function listIncidents(options: ListOptions): Promise<number> {
  const { workspace, run, open = false, json = false, terminal } = options;
  const place = run === undefined ? null : findRun(run, workspace);
  const home = place?.workspace ?? workspace;
  const query = { ...(place && { run: place.id }), ...(open && { open }) };
  const incidents = existsSync(databaseOf(home)) ? withStore(home, (store) => store.incidents(query)) : [];
  if (json) {
    for (const incident of incidents) terminal.out(jsonLine(incident));
    return 0;
  }
  if (incidents.length === 0) {
    terminal.out(`There are no ${open ? "open " : ""}incidents in ${place?.id ?? workspace}.`);
    return 0;
  }
  const c = terminal.outColours;
  const lines = table({
    columns: [
      { title: "incident", align: "right" },
      { title: "state" },
      { title: "run" },
      { title: "it", align: "right" },
      { title: "age", align: "right" },
      { title: "rule" },
      { title: "what happened, and what was decided", shrinksTo: 20 },
    ],
    rows: incidents.map(({ id, runId, iteration, openedAt, rule, summary, decision }) => [
      String(id),
      decision === null ? c.red("● open") : c.green("✓ decided"),
      runId,
      String(iteration),
      age(Date.now() - openedAt),
      printableLine(rule),
      printableLine(summary) + (decision === null ? "" : `  →  ${decisionText(decision)}`),
    ]),
    width: terminal.outWidth(),
    heading: c.bold,
  });
  for (const line of lines) terminal.out(line);
  const waiting = incidents.find(({ decision }) => decision === null);
  if (waiting) terminal.out(`\nSee one with: ${showCommand(waiting.id, home)}`);
  return 0;
}

export interface ShowOptions extends Common {
  readonly id: number;
}

export async function showIncident({ id, workspace, json = false, terminal }: ShowOptions): Promise<number> {
  withStore(workspace, (store) => {
    const incident = known(store, id, workspace);
    if (json) {
      terminal.out(jsonLine(incident));
      return;
    }
    const run = store.run(incident.runId);
    const folder = join(workspace, incident.runId);
    const lines = incidentLines(
      {
        incident,
        folder,
        objective: run?.objective ?? "",
        waits: run?.alive ?? false,
        self: selfName(),
        resume: resumeOf(incident, workspace),
        option: workspaceOption(workspace),
        now: Date.now(),
      },
      terminal,
    );
    for (const line of lines) terminal.out(line);
  });
  return 0;
}

export interface ResolveOptions extends Common, DecisionOptions {
  readonly id: number;
  /** Who decides; default: the login name. */
  readonly as?: string;
}

/** Only writes the decision: the run's trainer carries it out, at once if it is waiting, else when it is resumed. */
export async function resolveIncident(options: ResolveOptions): Promise<number> {
  const { id, workspace, json = false, terminal } = options;
  const operator = operatorName(options.as);
  const resolve = (store: Store) => {
    const incident = known(store, id, workspace);
    if (incident.decision !== null) throw alreadyDecided(incident, resumeOf(incident, workspace));
    const place = findRun(incident.runId, workspace);
    const { folder } = place;
    const config = configOf(place);
    store.decide(id, decisionOf(options, { incident, config, folder }), { operator });
    const { decision, runId } = store.incident(id) as IncidentRecord;
    if (json) {
      terminal.out(jsonLine({ incident: id, run: runId, decision }));
      return;
    }
    terminal.out(`incident ${id}: ${decisionText(decision!)}`);
    if (store.run(runId)?.alive) terminal.out(`Run ${runId} is waiting for this decision and applies it now.`);
    else if (decision!.action !== "stop") terminal.out(`Next: ${resumeOf(incident, workspace)}`);
  };
  // Only runs create databases.
  withStore(workspace, resolve, { readonly: !existsSync(databaseOf(workspace)) });
  return 0;
}

function resumeOf({ runId }: IncidentRecord, workspace: string): string {
  try {
    return resumeCommand(findRun(runId, workspace));
  } catch (error) {
    // Its folder is gone, but its record still exists.
    if (!(error instanceof UsageError)) throw error;
    return `${selfName()} resume ${runId}`;
  }
}

function known(store: Store, id: number, workspace: string): IncidentRecord {
  const incident = store.incident(id);
  if (incident !== undefined) return incident;
  const open = store.incidents({ open: true }).map((one) => one.id);
  throw new UsageError(
    `there is no incident ${id} in ${store.path}`,
    open.length > 0
      ? `Open: ${open.slice(-8).join(", ")}.`
      : `No incident there is open. \`ballast incidents list${workspaceOption(workspace)}\` shows all.`,
  );
}
