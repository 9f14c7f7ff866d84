/** Describes mistakes in the shape of a rule, with remedies. */
import type { z } from "zod";
import { isLever, type LeverName, levers } from "../../levers/levers.ts";
import { nearest } from "../../util/nearest.ts";
import { conditionSchema, moments, ruleSchema } from "./rule-schema.ts";

/** A place inside a rule, and what is wrong there. */
export type Mistake = readonly [readonly PropertyKey[], string];

/** The mistakes behind one issue of the schema; `entry` is the rule as it was written. */
export function inWords(issue: z.core.$ZodIssue, entry: unknown): Mistake[] {
  const { path } = issue;
  const found = at(entry, path);
  const name = path.join(".");
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(path);
    return issue.keys.map((key) => [[...path, key], `unknown key "${key}"${suggestion(key, known, "it may have")}`]);
  }
  if (path.length === 0) return [[path, `expected keys and values such as \`id: my_rule\`, found ${shown(found)}`]];
  if (found === undefined) return [[path, `it needs the key ${name}${needed[name] ?? ""}`]];
  if (path[0] === "action") return [[["action"], actionMistake(at(entry, ["action"]))]];
  if (name === "window") return [[path, `window: expected a whole number from 1, or "3 of 5", found ${shown(found)}`]];
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    if (typeof found !== "object" || found === null)
      return [
        [path, `${name}: expected a condition, {signal: ..., above: ...}, or a list of them, found ${shown(found)}`],
      ];
    const branch = issue.errors[Array.isArray(found) ? issue.errors.length - 1 : 0] ?? [];
    return branch.flatMap((inner) => inWords({ ...inner, path: [...path, ...inner.path] } as z.core.$ZodIssue, entry));
  }
  if (issue.code === "invalid_value") {
    const known = issue.values.map(String);
    const near = typeof found === "string" ? nearest(found, known) : undefined;
    const advice = near ? `; did you mean ${near}?` : "";
    return [[path, `${name}: expected one of ${known.join(", ")}, found ${shown(found)}${advice}`]];
  }
  if (issue.code === "invalid_format") return [[path, `${name}: expected ${issue.message}, found ${shown(found)}`]];
  if (issue.code === "too_small")
    return [
      [
        path,
        `${name}: expected ${issue.origin === "number" || issue.origin === "int" ? `at least ${issue.minimum}` : "something"}, found ${shown(found)}`,
      ],
    ];
  if (issue.code === "invalid_type") return [[path, `${name}: expected ${issue.expected}, found ${shown(found)}`]];
  return [[path, `${name}: ${issue.message}`]];
}

const needed: Readonly<Record<string, string>> = {
  source: ": a sentence that gives the source of its numbers",
  when: ": {signal: ..., above: ...}",
  tier: ": 1, 2 or 3",
};

/** The ending `; did you mean x?`, or a list of all words. */
export function suggestion(word: string, known: readonly string[], otherwise: string): string {
  const near = nearest(word, known);
  return near === undefined ? `; ${otherwise} ${known.join(", ")}` : `; did you mean ${near}?`;
}

function keysAt(path: readonly PropertyKey[]): string[] {
  if (path[0] === "when") return Object.keys(conditionSchema.shape);
  if (path[0] === "scale") return ["entropy", "safety"];
  return Object.keys(ruleSchema.shape);
}

function actionMistake(found: unknown): string {
  const all = [...Object.keys(levers), ...moments];
  if (typeof found !== "object" || found === null) {
    const name = String(found);
    return isLever(name) ? needsFactor(name) : unknownAction(name, all);
  }
  const names = Object.keys(found);
  if (names.length !== 1) return `an action does one thing, and this one does ${names.length}: write a rule for each`;
  const name = names[0]!;
  if (!isLever(name)) {
    if (name === "rollback") return "rollback: expected settings to change, {ppo.learningRate: 1e-4}";
    const alone = (moments as readonly string[]).includes(name);
    return alone ? `${name} takes nothing: write action: ${name}` : unknownAction(name, all);
  }
  const factor = (found as Record<string, unknown>)[name];
  if (typeof factor !== "number") return needsFactor(name);
  return `${name}: ${factor} would push the setting out of its bounds; it is multiplied by ${levers[name].factor.words}`;
}

function needsFactor(name: LeverName): string {
  return `${name} needs a factor: {${name}: ${levers[name].factor.example}}`;
}

function unknownAction(name: string, all: readonly string[]): string {
  return `there is no action ${name}${suggestion(name, all, "they are")}`;
}

function at(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, name) => (value as Record<PropertyKey, unknown> | undefined)?.[name], root);
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value === "string" ? `"${value}"` : "a section";
}
