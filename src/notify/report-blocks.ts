/** A report as headings, sentences and tables of plain text, which Markdown and HTML each format in their own way. */
import type { SettingRow } from "../store/index.ts";
import type { IncidentRecord } from "../types/alerts.ts";
import { counted } from "../util/counted.ts";
import { cut } from "../util/cut.ts";
import type { HealthReport, Report, RunReport } from "./report-data.ts";

export type Block =
  | { readonly kind: "heading"; readonly level: 1 | 2 | 3; readonly text: string }
  | { readonly kind: "paragraph"; readonly text: string }
  | { readonly kind: "table"; readonly columns: readonly string[]; readonly rows: readonly (readonly string[])[] };

/** Most characters of a prompt or response. */
const longestSample = 2_000;

export interface BlockOptions {
  /** Whether to show the worst prompts and responses of incidents. */
  readonly samples: boolean;
}

/** The title: `Ballast report, 2026-11-14 to 2026-11-21`. */
export function reportTitle({ since, until, runs }: Report): string {
  const name = runs.length === 1 ? ` of ${runs[0]?.run.id}` : "";
  return `Ballast report${name}, ${day(since)} to ${day(until)}`;
}

export function reportBlocks(report: Report, { samples }: BlockOptions): Block[] {
  const { runs } = report;
  const open = runs.flatMap(({ incidents }) => incidents.filter(({ decision }) => decision === null));
  return [
    { kind: "heading", level: 1, text: reportTitle(report) },
    {
      kind: "paragraph",
      text:
        runs.length === 0
          ? "No run was active in this time."
          : `${counted(runs.length, "run")}. ${open.length === 0 ? "No incident waits for a decision." : `${counted(open.length, "incident")} ${open.length === 1 ? "waits" : "wait"} for a decision: ${open.map(({ id }) => id).join(", ")}.`}`,
    },
    ...runs.flatMap((run) => runBlocks(run, samples)),
  ];
}

function runBlocks({ run, alerts, interventions, incidents, changes, health }: RunReport, samples: boolean): Block[] {
  const { id, objective, state, attempt, position } = run;
  const place = position === null ? "" : `, ${position.stage} iteration ${position.iteration}`;
  const blocks: Block[] = [
    ...section("Incidents", ["incident", "iteration", "rule", "what happened", "decision"], incidents.map(incidentRow)),
    ...(samples
      ? section("Worst samples", ["incident", "score", "prompt", "response"], incidents.flatMap(sampleRows))
      : []),
    ...section(
      "Interventions",
      ["iteration", "tier", "what was done, and why", "outcome"],
      interventions.map(({ iteration, tier, reason, outcome, superseded }) => [
        String(iteration) + abandoned(superseded),
        String(tier),
        reason,
        outcome ?? "–",
      ]),
    ),
    ...section(
      "Alerts",
      ["tier", "rule", "times", "iterations", "the newest"],
      alerts.map(({ tier, rule, count, from, to, message }) => [
        ...[String(tier), rule, String(count), from === to ? String(from) : `${from} to ${to}`, message],
      ]),
    ),
    ...section("Settings changed", ["iteration", "setting", "before", "after", "cause"], changeRows(changes)),
    ...section("Health", ["part", "newest", "lowest", "at iteration"], health.map(healthRow)),
  ];
  return [
    { kind: "heading", level: 2, text: id },
    { kind: "paragraph", text: objective === "" ? "No objective was recorded." : `Objective: ${objective}` },
    { kind: "paragraph", text: `It is ${state}, in attempt ${attempt}${place}.` },
    ...(blocks.length > 0
      ? blocks
      : [{ kind: "paragraph", text: "No alert, no intervention, no incident, and no setting changed." } as const]),
  ];
}

function section(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): Block[] {
  return rows.length === 0
    ? []
    : [
        { kind: "heading", level: 3, text: title },
        { kind: "table", columns, rows },
      ];
}

function incidentRow({ id, iteration, rule, summary, decision }: IncidentRecord): string[] {
  const { action, to, reason } = decision ?? { action: "open", to: null, reason: "" };
  const decided = `${action}${to === null ? "" : ` to iteration ${to}`}${reason === "" ? "" : `: ${reason}`}`;
  return [String(id), String(iteration), rule, summary, decided];
}

function sampleRows({ id, evidence }: IncidentRecord): string[][] {
  return evidence.worstSamples.map(({ prompt, response, score }) => [
    ...[String(id), String(score), cut(prompt, longestSample), cut(response, longestSample)],
  ]);
}

/** Rows of changes; what a schedule or a controller did to one setting is one row. */
export function changeRows(changes: readonly SettingRow[]): string[][] {
  const stretches = new Map<string, SettingRow[]>();
  for (const change of changes) {
    const { key, cause, attempt, superseded, seq } = change;
    const steady = cause === "schedule" || cause === "controller";
    const name = steady ? JSON.stringify([key, cause, attempt, superseded]) : String(seq);
    const stretch = stretches.get(name);
    if (stretch) stretch.push(change);
    else stretches.set(name, [change]);
  }
  return [...stretches.values()].map((stretch) => {
    const [first, last] = [stretch[0]!, stretch.at(-1)!];
    const { key, before, cause, intervention, superseded } = first;
    return [
      (stretch.length === 1 ? `${first.iteration}` : `${first.iteration} to ${last.iteration}`) + abandoned(superseded),
      key,
      valueText(before),
      valueText(last.value),
      (intervention === undefined ? cause : `${cause} ${intervention}`) +
        (stretch.length === 1 ? "" : `, ${stretch.length} changes`),
    ];
  });
}

function healthRow({ key, newest, lowest, at }: HealthReport): string[] {
  return [key.slice("health/".length), valueText(newest), valueText(lowest), String(at)];
}

function abandoned(superseded: boolean): string {
  return superseded ? " (abandoned)" : "";
}

function valueText(value: SettingRow["value"]): string {
  return typeof value === "number" && Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value);
}

function day(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}
