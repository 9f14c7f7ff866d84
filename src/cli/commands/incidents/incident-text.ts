/** An incident as text: what stopped the run, the evidence, the decision, and what to type next. */
import { existsSync } from "node:fs";
import { incidentSignals } from "../../../inspect/incident-signals.ts";
import { checkpointPlace } from "../../../operator/decision.ts";
import type { IncidentDecision, IncidentRecord } from "../../../types/alerts.ts";
import type { MetricValues } from "../../../types/records.ts";
import { printableLine } from "../../../util/sanitize.ts";
import { age, figure } from "../../number-format.ts";
import { settingText } from "../../settings-text.ts";
import { shortPath } from "../../short-path.ts";
import { type Column, table } from "../../table.ts";
import type { Terminal } from "../../terminal.ts";
import { displayWidth, wrap } from "../../width.ts";

/** Most characters of a prompt and of a response. */
const SAMPLE_LIMIT = 400;

export interface IncidentTextOptions {
  readonly incident: IncidentRecord;
  /** The run's present folder. */
  readonly folder: string;
  readonly objective: string;
  /** Whether the run's process waits for the decision. */
  readonly waits: boolean;
  /** The name of this program, the option for the workspace with its leading space, and the command that continues the run. */
  readonly self: string;
  readonly option: string;
  readonly resume: string;
  readonly now: number;
}

export function incidentLines(
  options: IncidentTextOptions,
  { outColours: c, outWidth }: Pick<Terminal, "outColours" | "outWidth">,
): string[] {
  const { incident, objective, now } = options;
  const { id, runId, attempt, stage, iteration, rule, summary, evidence, openedAt, decision } = incident;
  const { alert, worstSamples, changes, active } = evidence;
  const width = outWidth();
  const text = (line: string) => wrap(printableLine(line), width);
  const section = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ["", c.bold(title), ...lines];
  const state = decision === null ? c.red("● open") : c.green("✓ decided");
  return [
    `${c.bold(`incident ${id}`)}  ${state}  run ${runId}, attempt ${attempt}, ${stage} iteration ${iteration}, ${age(now - openedAt)} ago`,
    ...text(summary),
    ...(objective === "" ? [] : text(`objective: ${objective}`)),
    ...text(`rule ${rule}: ${alert.signal} ${alert.condition}; it saw ${alert.values.map(figure).join(", ")}`),
    ...section(
      evidence.iterations.length === 1 ? "the last iteration" : `the last ${evidence.iterations.length} iterations`,
      signalTable(incident, width),
    ),
    ...section(
      "worst samples",
      worstSamples.flatMap(({ prompt, response, score }) => [
        ...text(`score ${figure(score)}  ${short(prompt)}`),
        ...wrap(`→ ${printableLine(short(response))}`, width - 2).map((line) => `  ${line}`),
      ]),
    ),
    ...section(
      "what changed before",
      changes.flatMap(({ iteration: it, key, before, value, cause }) =>
        text(`it ${it}  ${key}  ${settingText(before)} → ${settingText(value)}  (${cause})`),
      ),
    ),
    ...section(
      "interventions in force",
      active.flatMap(({ from, until, reason }) => text(`it ${from}${until === null ? "" : ` to ${until}`}  ${reason}`)),
    ),
    ...section("checkpoints", checkpointLines(options)),
    ...(decision === null ? nextSteps(options) : decided(decision, options)),
  ];
}

/** The decision, in a sentence. */
export function decisionText({ action, to, changes, reason }: IncidentDecision): string {
  const set = changes.map(({ key, value }) => `${key}=${value}`).join(", ");
  const target = to === null ? "" : ` to iteration ${to}`;
  return printableLine(`${action}${target}${set === "" ? "" : ` with ${set}`}: ${reason}`);
}

function short(text: string): string {
  return text.length <= SAMPLE_LIMIT ? text : `${text.slice(0, SAMPLE_LIMIT)} … (${text.length} characters)`;
}

function signalTable({ evidence }: IncidentRecord, width: number): string[] {
  const { iterations, alert } = evidence;
  const has = (key: string) => iterations.some(({ values }: { values: MetricValues }) => values[key] !== undefined);
  const own = incidentSignals.find(([key]) => key === alert.signal) ?? ([alert.signal, alert.signal] as const);
  const shown = [own, ...incidentSignals.filter((signal) => signal !== own)].filter(([key]) => has(key));
  if (shown.length === 0) return [];
  const columns: Column[] = [{ title: "it", align: "right" }];
  const rows = iterations.map(({ iteration }) => [String(iteration)]);
  let used = Math.max(2, ...rows.map(([cell]) => (cell as string).length));
  for (const [key, title] of shown) {
    const cells = iterations.map(({ values }) => figure(values[key]));
    used += 2 + Math.max(displayWidth(title), ...cells.map((cell) => cell.length));
    if (used > width && columns.length > 1) break;
    columns.push({ title: printableLine(title), align: "right" });
    for (const [i, cell] of cells.entries()) (rows[i] as string[]).push(cell);
  }
  return table({ columns, rows, width });
}

function checkpointLines({ incident, folder }: IncidentTextOptions): string[] {
  const { before, present, lastHealthy } = incident.evidence.checkpoints;
  const named = { "before it": before, "as it is now": present, "last healthy": lastHealthy };
  return Object.entries(named).map(([name, path]) => {
    if (path === null) return `${name}: none`;
    const place = checkpointPlace(path, { folder, stage: incident.stage });
    return `${name}: ${shortPath(place)}${existsSync(place) ? "" : " (gone)"}`;
  });
}

function nextSteps({ incident, self, option, resume, waits }: IncidentTextOptions): string[] {
  const decide = (what: string) => `  ${self} incidents resolve ${incident.id} ${what} --reason "..."${option}`;
  const { lastHealthy, before } = incident.evidence.checkpoints;
  return [
    "",
    "Next, one of:",
    ...(lastHealthy === null ? [] : [decide("--rollback last-healthy")]),
    ...(before === null ? [] : [decide("--rollback before")]),
    decide("--resume"),
    decide("--stop"),
    "To change settings too, add for example --set ppo.learningRate=1e-5.",
    waits ? "The run is waiting for the decision and then continues." : `and then: ${resume}`,
  ];
}

function decided(decision: IncidentDecision, { resume, waits, now }: IncidentTextOptions): string[] {
  return [
    "",
    `decided ${age(now - decision.decidedAt)} ago: ${decisionText(decision)}`,
    ...(waits || decision.action === "stop" ? [] : [`Next: ${resume}`]),
  ];
}
