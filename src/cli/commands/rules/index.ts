/** `ballast rules`: shows the controller's rules in words, and tests a user's rules on the record of a run. */

import { type ControlConfig, loadConfig } from "../../../config/index.ts";
import { fitsScale, inactiveWhy, knownRules, usedRules } from "../../../control/rules/load-rules.ts";
import { actionWords, conditionWords, isStepRule, leverOf, type Rule } from "../../../control/rules/rule.ts";
import { rulesToYaml } from "../../../control/rules/rule-yaml.ts";
import { otherRules, readControl, replayOn, storyOf } from "../../../inspect/recorded-control.ts";
import { levers } from "../../../levers/levers.ts";
import type { AlgorithmName } from "../../../settings/algorithm-table.ts";
import type { Said } from "../../../types/page.ts";
import { counted } from "../../../util/counted.ts";
import { UsageError } from "../../../util/errors.ts";
import { nearest } from "../../../util/nearest.ts";
import { printable, printableLine } from "../../../util/sanitize.ts";
import { jsonLine } from "../../json-line.ts";
import { table } from "../../table.ts";
import type { Terminal } from "../../terminal.ts";
import { wrap } from "../../width.ts";
import { metricMeaning } from "./metric-meaning.ts";

export interface ListOptions {
  /** Path of a configuration. */
  readonly config?: string;
  readonly yaml?: boolean;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

export async function listRules({ config: file, yaml, json, terminal }: ListOptions): Promise<number> {
  const { rules, control, algorithm } = rulesOf(file);
  if (yaml) {
    for (const line of rulesToYaml(rules).trimEnd().split("\n")) terminal.out(printable(line));
    return 0;
  }
  if (json) {
    for (const rule of rules)
      terminal.out(jsonLine({ ...rule, ...(control && { use: useOf(rule, control, algorithm) }) }));
    return 0;
  }
  const rows = rules.map((rule) => [
    String(rule.tier),
    printableLine(rule.id),
    printableLine(`${rule.says} ${conditionWords(rule)}`),
    brief(rule),
    String(rule.cooldown),
    control ? useOf(rule, control, algorithm) : scaleWords(rule),
  ]);
  const columns = [
    { title: "tier", align: "right" },
    { title: "rule" },
    { title: "holds if", shrinksTo: 24 },
    { title: "then" },
    { title: "cool-down", align: "right" },
    { title: control ? "here" : "scale" },
  ] as const;
  for (const line of table({ columns, rows, width: terminal.outWidth(), heading: terminal.outColours.bold }))
    terminal.out(line);
  return 0;
}

export interface ExplainOptions {
  readonly id: string;
  readonly config?: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

export async function explainRule({ id, config: file, json, terminal }: ExplainOptions): Promise<number> {
  const { rules, control, algorithm } = rulesOf(file);
  const rule = rules.find((one) => one.id === id);
  if (rule === undefined) {
    const ids = rules.map((one) => one.id);
    const near = nearest(id, ids);
    throw new UsageError(
      `there is no rule ${id}`,
      near === undefined ? "`ballast rules list` shows all." : `Did you mean ${near}?`,
    );
  }
  const meanings = Object.fromEntries(signalsOf(rule).map((signal) => [signal, metricMeaning(signal)]));
  if (json) {
    terminal.out(jsonLine({ ...rule, meanings, ...(control && { use: useOf(rule, control, algorithm) }) }));
    return 0;
  }
  const c = terminal.outColours;
  const row = (name: string, text: string) => {
    const lines = wrap(printable(text), terminal.outWidth() - 12);
    for (const [i, line] of lines.entries()) terminal.out(`${(i === 0 ? name : "").padEnd(12)}${line}`);
  };
  terminal.out(c.bold(`${rule.id}, tier ${rule.tier}: ${tierWords[rule.tier]}`));
  for (const [signal, meaning] of Object.entries(meanings)) row("signal", `${signal}: ${meaning ?? "no description"}`);
  row("holds", `if ${rule.says} ${conditionWords(rule)}${windowWords(rule)}`);
  row("consulted", consultedWords(rule));
  row("then", does(rule));
  row("cool-down", cooldownWords(rule));
  if (rule.advice !== undefined) row("advice", rule.advice);
  row("numbers", rule.source);
  row("in use", control ? useOf(rule, control, algorithm) : whereUsed(rule));
  return 0;
}

export interface TestOptions {
  readonly file: string;
  /** A run's id or folder. */
  readonly on?: string;
  readonly workspace: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

/** Tests a file of rules. Throws UsageError, with every mistake and its line, if the file cannot be used. */
export async function testRules({ file, on, workspace, json = false, terminal }: TestOptions): Promise<number> {
  // Checked against the shipped ones too: rules from two files may contradict each other.
  const known = knownRules(file);
  usedRules(known);
  const own = known.own.rules;
  if (on === undefined) {
    if (json) terminal.out(jsonLine({ file, rules: own }));
    else terminal.out(`${file}: ${counted(own.length, "rule")}, no mistakes. Try them: --on RUN`);
    return 0;
  }
  const recorded = readControl(on, workspace);
  const rules = otherRules(recorded, file);
  const ids = own.map(({ id }) => id);
  const story = storyOf(replayOn(recorded, rules)).filter(({ rule }) => ids.includes(rule));
  const { control, ppo } = recorded.config;
  const counts = own.map((rule) => ({
    rule: rule.id,
    tier: rule.tier,
    use: useOf(rule, control, ppo?.algorithm),
    spoke: story.filter((one) => one.rule === rule.id && one.kind === "said").length,
    acted: story.filter((one) => one.rule === rule.id && one.acted).length,
  }));
  if (json) {
    terminal.out(jsonLine({ file, run: recorded.place.id, rules: counts, tiers: tierCounts(counts), said: story }));
    return 0;
  }
  const iterations = new Set(recorded.consultations.map(({ iteration }) => iteration)).size;
  terminal.out(
    `${file}: ${counted(own.length, "rule")}, beside the shipped ones, on ${counted(iterations, "iteration")} of ${recorded.place.id}`,
  );
  terminal.out("");
  for (const line of testLines({ counts, story }, terminal)) terminal.out(line);
  return 0;
}

interface Count {
  readonly rule: string;
  readonly tier: number;
  readonly use: string;
  readonly spoke: number;
  readonly acted: number;
}

function tierCounts(counts: readonly Count[]): Record<string, number> {
  return Object.fromEntries(
    [1, 2, 3].map((tier) => [
      `tier${tier}`,
      counts.filter((one) => one.tier === tier).reduce((total, { spoke }) => total + spoke, 0),
    ]),
  );
}

function testLines({ counts, story }: { counts: Count[]; story: Said[] }, terminal: Terminal): string[] {
  const { outColours: c } = terminal;
  const width = terminal.outWidth();
  const totals = tierCounts(counts);
  const rows = counts.map(({ rule, tier, use, spoke, acted }) => [
    String(tier),
    rule,
    String(spoke),
    String(acted),
    use,
  ]);
  const said = story.map(({ iteration, text }) => [String(iteration), printableLine(text)]);
  return [
    ...table({
      columns: [
        { title: "tier", align: "right" },
        { title: "rule" },
        { title: "fired", align: "right" },
        { title: "acted", align: "right" },
        { title: "here" },
      ],
      rows,
      width,
      heading: c.bold,
    }),
    `In all: tier 1 ${totals.tier1}, tier 2 ${totals.tier2}, tier 3 ${totals.tier3}.`,
    ...(said.length === 0
      ? []
      : [
          "",
          ...table({
            columns: [
              { title: "it", align: "right" },
              { title: "what they say", shrinksTo: 20 },
            ],
            rows: said,
            width,
            heading: c.bold,
          }),
        ]),
  ];
}

function rulesOf(file: string | undefined): {
  rules: readonly Rule[];
  control: ControlConfig | null;
  algorithm: AlgorithmName | undefined;
} {
  const config = file === undefined ? null : loadConfig(file).config;
  const control = config?.control ?? null;
  return { rules: knownRules(control?.rules).rules, control, algorithm: config?.ppo?.algorithm };
}

const tierWords = {
  1: "the run stops and waits for the operator",
  2: "the controller acts",
  3: "it is recorded",
} as const;

function signalsOf({ conditions }: Rule): string[] {
  const all = conditions.flatMap(({ signal, with: other }) => (other === null ? [signal] : [signal, other]));
  return [...new Set(all)];
}

function windowWords({ window, minHistory }: Rule): string {
  const held = window.of > 1 ? " observations" : "";
  return minHistory > 1 ? `${held}, from the ${ordinal(minHistory)} observation on` : held;
}

function consultedWords(rule: Rule): string {
  return isStepRule(rule)
    ? "before each step of the update"
    : "as soon as an iteration shows the signal: once its rollout is scored, or after its update";
}

function does(rule: Rule): string {
  return rule.tier === 1 && rule.action === null ? "saved, paused; the operator decides" : actionWords(rule);
}

/** A rule's action in short: `learning rate x0.7, 10 it`. */
function brief(rule: Rule): string {
  const { action, tier, duration } = rule;
  const lever = leverOf(action);
  if (lever !== null) return `${levers[lever].words} x${action!.factor}, ${duration} it`;
  return action?.kind ?? (tier === 1 ? "pause" : "record");
}

function cooldownWords({ cooldown }: Rule): string {
  return cooldown === 0
    ? "none: it may fire each time"
    : `${counted(cooldown, "iteration")} after it fires, before it may fire again`;
}

function scaleWords({ scale }: Rule): string {
  return Object.entries(scale)
    .map(([name, word]) => `${name} ${word}`)
    .join(", ");
}

function whereUsed(rule: Rule): string {
  const scale = Object.entries(rule.scale).map(([name, word]) => `control.${name}.scale is ${word}`);
  const where = scale.length === 0 ? "everywhere" : `if ${scale.join(" and ")}`;
  return rule.tier === 2 ? `${where}; it acts only in the profile adaptive` : where;
}

/** How a rule is used under a configuration. */
function useOf(rule: Rule, control: ControlConfig, algorithm: AlgorithmName = "ppo"): string {
  if (control.disable.includes(rule.id)) return "disabled";
  if (!fitsScale(rule, control)) return `not used: ${scaleWords(rule)}`;
  const inactive = inactiveWhy(rule, algorithm);
  if (inactive !== null) return `inactive: ${inactive}`;
  if (rule.tier === 3) return "records";
  if (control.interventions === "off") return "alerts only: off";
  return rule.tier === 2 && control.profile === "fixed" ? "alerts only: fixed" : rule.tier === 1 ? "stops" : "acts";
}

function ordinal(n: number): string {
  const last = n % 10;
  const suffix =
    n % 100 >= 11 && n % 100 <= 13 ? "th" : last === 1 ? "st" : last === 2 ? "nd" : last === 3 ? "rd" : "th";
  return `${n}${suffix}`;
}
