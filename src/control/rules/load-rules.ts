/** Reads the controller's rules from YAML: the shipped ones, and a user's additional ones. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { levers } from "../../levers/levers.ts";
import { type AlgorithmName, hasSignal, lackedSettings } from "../../settings/algorithm-table.ts";
import { messageOf, UsageError } from "../../util/errors.ts";
import { nearest } from "../../util/nearest.ts";
import { readSource, type Source } from "../../util/yaml-source.ts";
import { lookback } from "../condition.ts";
import { leverOf, type Rule } from "./rule.ts";
import { contradictions, oddities } from "./rule-checks.ts";
import { recordedRuleSchema, ruleSchema, toRule } from "./rule-schema.ts";
import { inWords } from "./rule-words.ts";

const seeDocs = "docs/control.md explains the language of rules; rules/default.yaml is an example.";

/** The rules in a run's file, as JSON; null if there are none. */
export function recordedRules(json: unknown): readonly Rule[] | null {
  const parsed = z.array(recordedRuleSchema).safeParse(json);
  return parsed.success ? (parsed.data as unknown as Rule[]) : null;
}

/** Parses rules from a text; `file` names it in messages. Errors: UsageError with lines and remedies for all mistakes at once. */
export function parseRules(text: string, file: string): Rule[] {
  return read(text, file).rules;
}

/** The rules that Ballast ships. */
export function defaultRules(): Rule[] {
  return parseRules(
    readFileSync(new URL("../../../rules/default.yaml", import.meta.url), "utf8"),
    "rules/default.yaml",
  );
}

/** The shipped rules and those of a file; a rule with a shipped rule's id replaces it. */
export interface KnownRules {
  readonly rules: readonly Rule[];
  readonly own: Reading;
}

/** Reads the known rules. Errors: UsageError with lines and remedies for all mistakes in the file at once. */
export function knownRules(path: string | undefined): KnownRules {
  return besideShipped(path === undefined ? { rules: [], placed: String } : read(textOf(path), path));
}

/** Like `knownRules`, but from a text that `file` names in messages. */
export function knownRulesIn(text: string, file: string): KnownRules {
  return besideShipped(read(text, file));
}

function besideShipped(own: Reading): KnownRules {
  const shipped = defaultRules();
  const replaced = shipped.map((rule) => own.rules.find(({ id }) => id === rule.id) ?? rule);
  const added = own.rules.filter(({ id }) => !shipped.some((rule) => rule.id === id));
  return { rules: [...replaced, ...added], own };
}

export interface UseOptions {
  /** Ids of rules that are not used. */
  readonly disable?: readonly string[];
  /** The run's length in iterations; a rule that needs more can never hold. */
  readonly iterations?: number;
}

/** The rules in use. Errors: UsageError if a user's rule looks back over more iterations than the run has, or contradicts a second rule. */
export function usedRules({ rules, own }: KnownRules, { disable = [], iterations }: UseOptions = {}): Rule[] {
  const used = rules.filter(({ id }) => !disable.includes(id));
  const mistakes = [
    ...own.rules.flatMap((rule) => {
      const needs = Math.max(rule.window.of, rule.minHistory, ...rule.conditions.map(lookback));
      if (iterations === undefined || needs <= iterations || disable.includes(rule.id)) return [];
      const message = `it looks back over ${needs} iterations, and the run has ${iterations}: shorten its window, its \`over\` or its minHistory`;
      return [own.placed(rule.id, message)];
    }),
    ...contradictions(used).map(({ rules: [a, b], message }) =>
      own.placed(own.rules.includes(b) ? b.id : a.id, message),
    ),
  ];
  if (mistakes.length > 0) throw failure(mistakes);
  return used;
}

/** Reads the known rules and returns those in use. Errors: UsageError as in `knownRules` and `usedRules`. */
export function loadRules({ path, ...options }: UseOptions & { readonly path: string | undefined }): Rule[] {
  return usedRules(knownRules(path), options);
}

/** A message about a disabled rule that does not exist; null if all exist. */
export function unknownRule(rules: readonly Pick<Rule, "id">[], disabled: readonly string[]): string | null {
  const ids = rules.map(({ id }) => id);
  const unknown = disabled.find((id) => !ids.includes(id));
  if (unknown === undefined) return null;
  const near = nearest(unknown, ids);
  return `there is no rule ${unknown}; ${near === undefined ? "`ballast rules list` shows all" : `did you mean ${near}?`}`;
}

/** Whether the rule is used on these scales. */
export function fitsScale(
  { scale }: Rule,
  control: { readonly entropy: { readonly scale: string }; readonly safety: { readonly scale: string } },
): boolean {
  return (
    (scale.entropy ?? control.entropy.scale) === control.entropy.scale &&
    (scale.safety ?? control.safety.scale) === control.safety.scale
  );
}

/** What keeps a rule from ever speaking or acting under an algorithm, in words; null if nothing does. */
export function inactiveWhy({ conditions, action }: Rule, algorithm: AlgorithmName): string | null {
  const signals = conditions.flatMap(({ signal, with: other }) => (other === null ? [signal] : [signal, other]));
  const absent = signals.find((signal) => !hasSignal(algorithm, signal));
  if (absent !== undefined) return `${algorithm} has no ${absent}`;
  const lever = leverOf(action);
  const lacked = lackedSettings(algorithm).map(({ key }) => `ppo.${key}`);
  const moved = lever === null ? [] : Object.values(levers[lever].moves);
  return moved.length > 0 && moved.every((key) => lacked.includes(key))
    ? `${algorithm} has no ${levers[lever!].words}`
    : null;
}

interface Reading {
  readonly rules: Rule[];
  /** Adds the line of a rule to a message about it. */
  readonly placed: (id: string, message: string) => string;
}

function read(text: string, file: string): Reading {
  const source = readSource(text, file, {
    what: "a file of rules",
    start: "`ballast rules list --yaml` prints the shipped ones to start from.",
    top: "`rules:` and a list of rules below it",
  });
  const entries = entriesOf(source);
  const mistakes = [...source.mistakes];
  const lineOf = (i: number, path: readonly PropertyKey[] = []) =>
    source.lineOf(["rules", i, ...path.map((part) => (typeof part === "number" ? part : String(part)))]);
  const nameOf = (i: number) => {
    const id = (entries[i] as { id?: unknown } | null)?.id;
    return typeof id === "string" ? `rule ${id}` : `rule ${i + 1}`;
  };
  const rules = new Map<number, Rule>();
  for (const [i, entry] of entries.entries()) {
    const say = ([path, message]: readonly [readonly PropertyKey[], string]) =>
      mistakes.push(`${file}:${lineOf(i, path)}: ${nameOf(i)}: ${message}`);
    const parsed = ruleSchema.safeParse(entry);
    if (!parsed.success) {
      for (const issue of parsed.error.issues) inWords(issue, entry).forEach(say);
      continue;
    }
    const rule = toRule(parsed.data);
    oddities(rule).forEach(say);
    const twin = [...rules].find(([, { id }]) => id === rule.id);
    if (twin) say([["id"], `the id is taken by the rule in line ${lineOf(twin[0])}; give one of them a different id`]);
    rules.set(i, rule);
  }
  const placed = (id: string, message: string) => {
    const i = [...rules].find(([, rule]) => rule.id === id)?.[0];
    return i === undefined ? `rule ${id}: ${message}` : `${file}:${lineOf(i)}: rule ${id}: ${message}`;
  };
  const all = [...rules.values()];
  mistakes.push(...contradictions(all).map(({ rules: [, later], message }) => placed(later.id, message)));
  if (mistakes.length > 0) throw failure(mistakes);
  return { rules: all, placed };
}

function entriesOf({ root, file, lineOf }: Source): readonly unknown[] {
  const stranger = Object.keys(root).find((name) => name !== "rules");
  if (stranger !== undefined) {
    const near = nearest(stranger, ["rules"]);
    const advice = near ? `; did you mean ${near}?` : "; a file of rules has only the key rules";
    throw new UsageError(`${file}:${lineOf([stranger])}: unknown key "${stranger}"${advice}`, seeDocs);
  }
  const list = z.array(z.unknown()).min(1).safeParse(root.rules);
  if (list.success) return list.data;
  throw new UsageError(
    `${file}:${lineOf(["rules"])}: expected a list of rules below \`rules:\`, and it is empty`,
    seeDocs,
  );
}

function failure(mistakes: readonly string[]): UsageError {
  const text =
    mistakes.length === 1 ? mistakes[0]! : `${mistakes.length} mistakes in the rules\n${mistakes.join("\n")}`;
  return new UsageError(text, seeDocs);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      throw new UsageError(`there is no file of rules ${path}`, "Paths are relative to the current directory.");
    throw new UsageError(`cannot read the rules ${path}: ${messageOf(error)}`, undefined, { cause: error });
  }
}
