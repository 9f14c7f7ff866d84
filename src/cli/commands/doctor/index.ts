/** `ballast doctor`: finds what is wrong with a configuration before money is spent, or shows the checklist of a run in progress. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { type Loaded, loadConfig, parseConfig } from "../../../config/index.ts";
import { examine, type Finding, type Judged, type Phase, unexplained } from "../../../control/doctor/index.ts";
import { checklistOf } from "../../../inspect/run-checklist.ts";
import { readRunHistory } from "../../../inspect/run-history.ts";
import { gatherFacts, unreadFindings } from "../../../run/doctor-facts.ts";
import { counted } from "../../../util/counted.ts";
import { messageOf } from "../../../util/errors.ts";
import { printable, printableLine } from "../../../util/sanitize.ts";
import { jsonLine } from "../../json-line.ts";
import { withoutCurrentDirectory } from "../../short-path.ts";
import type { Terminal } from "../../terminal.ts";
import { wrap } from "../../width.ts";
import { unusableFunctions } from "./doctor-functions.ts";
import { rowFindings } from "./doctor-rows.ts";

export interface DoctorOptions {
  /** A YAML file, or a run's id or folder. */
  readonly subject: string;
  readonly overrides: readonly string[];
  readonly workspace: string;
  /** Tokens that one step may hold. */
  readonly tokensPerStep?: number;
  /** Whether the policy may be loaded and sampled. */
  readonly model: boolean;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

/** Runs the doctor. Returns 1 if there is an unexplained error, else 0. */
export async function doctor(options: DoctorOptions): Promise<number> {
  const { subject } = options;
  const isFile = /\.ya?ml$/.test(subject) || (existsSync(subject) && statSync(subject).isFile());
  return isFile ? examineConfig(options) : showChecklist(options);
}

async function examineConfig(options: DoctorOptions): Promise<number> {
  const { subject: file, overrides, tokensPerStep, model, json = false, terminal } = options;
  const { config, warnings, missing } = load(file, overrides);
  const { ppo } = config;
  const { facts, unread } = ppo
    ? await gatherFacts({ config, ppo, tokenBudget: tokensPerStep ?? null, measure: model })
    : { facts: null, unread: [] };
  const files = facts && missing === null ? [...rowFindings(config), ...(await unusableFunctions(config))] : [];
  const findings = facts
    ? examine(facts, [...unreadFindings((missing ?? unread).map((line) => withoutCurrentDirectory(line))), ...files])
    : [];
  const left = unexplained(findings);
  if (json) terminal.out(jsonLine({ config: file, objective: config.objective, findings, unexplained: left.length }));
  else {
    for (const line of warnings)
      terminal.note(`${terminal.noteColours.yellow("warning:")} ${withoutCurrentDirectory(line)}`);
    const lines = facts ? findingLines(findings, terminal) : ["It has no section ppo, and the doctor checks only PPO."];
    for (const line of [...headLines(file, config.objective, terminal), ...lines]) terminal.out(line);
  }
  return left.some(({ severity }) => severity === "error") ? 1 : 0;
}

/** Loads a configuration; it can be checked even if its files do not exist yet. */
function load(file: string, overrides: readonly string[]): Loaded & { readonly missing: readonly string[] | null } {
  try {
    return { ...loadConfig(file, overrides), missing: null };
  } catch (error) {
    if (!existsSync(file)) throw error;
    const loaded = parseConfig(readFileSync(file, "utf8"), file, overrides);
    return { ...loaded, missing: [messageOf(error)] };
  }
}

function headLines(file: string, objective: string, { outColours: c, outWidth }: Terminal): string[] {
  return [c.bold(file), ...wrap(printableLine(objective), outWidth()), ""];
}

// A severity is shown by a shape and a word, never only by colour.
const SHAPES = { error: "✗", warning: "!", note: "·" } as const;

function findingLines(findings: readonly Judged[], terminal: Terminal): string[] {
  const { outColours: c } = terminal;
  const colours = { error: c.red, warning: c.yellow, note: c.dim };
  const count = (severity: Finding["severity"]) =>
    findings.filter((finding) => finding.severity === severity && finding.explained === null).length;
  const explained = findings.filter(({ explained }) => explained !== null).length;
  return [
    ...findings.flatMap((finding) => {
      const { id, severity, explained } = finding;
      const title =
        explained === null ? colours[severity](`${SHAPES[severity]} ${severity}`) : c.green(`✓ ${severity}, explained`);
      return [`${title}  ${c.bold(id)}`, ...body(finding, terminal), ""];
    }),
    `${counted(count("error"), "error")}, ${counted(count("warning"), "warning")}, ${counted(count("note"), "note")}, ${explained} explained.`,
  ];
}

function body({ what, why, remedy, source, explained }: Judged, terminal: Terminal): string[] {
  const { outColours: c } = terminal;
  const part = (label: string, text: string, dress: (text: string) => string = (text) => text) =>
    labelled(label, text, { terminal, dress });
  if (explained !== null) return [...part("what", what), ...part("because", explained)];
  return [...part("what", what), ...part("why", why), ...part("remedy", remedy), ...part("source", source, c.dim)];
}

const LABEL = 10;

function labelled(
  label: string,
  text: string,
  { terminal, dress }: { terminal: Terminal; dress: (text: string) => string },
): string[] {
  return wrap(printable(text), Math.max(20, terminal.outWidth() - LABEL)).map((line, i) => {
    return `${(i === 0 ? `  ${label}` : "").padEnd(LABEL)}${dress(line)}`;
  });
}

function showChecklist({ subject, workspace, json = false, terminal }: DoctorOptions): number {
  const { place, config, history } = readRunHistory(subject, workspace, () => null);
  const { done, iterations, phases } = checklistOf(config, history);
  if (json) terminal.out(jsonLine({ run: place.id, done, iterations, phases }));
  else {
    const head = headLines(`${place.id}, ${done} of ${iterations} iterations`, config.objective, terminal);
    for (const line of [...head, ...phases.flatMap((phase) => phaseLines(phase, terminal))]) terminal.out(line);
  }
  return 0;
}

function phaseLines({ name, from, to, current, checks }: Phase, terminal: Terminal): string[] {
  const { outColours: c } = terminal;
  const range = name === "before" ? "" : `, iterations ${from} to ${to - 1}`;
  const shapes = { ok: c.green("✓ ok     "), "not ok": c.red("✗ not ok "), unknown: c.dim("? unknown") };
  const indent = " ".repeat(12);
  return [
    c.bold(`${name}${range}${current ? " (it is here)" : ""}`),
    ...checks.flatMap(({ check, state, seen }) =>
      wrap(`${check}: ${seen}`, Math.max(20, terminal.outWidth() - indent.length)).map((line, i) =>
        i === 0 ? `  ${shapes[state]} ${line}` : `${indent}${line}`,
      ),
    ),
    "",
  ];
}
