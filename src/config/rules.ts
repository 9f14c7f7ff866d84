/** Reads rules of the controller from YAML: the shipped ones, and a user's own beside them. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { lookback } from "../control/condition.ts";
import {
  type Action,
  type Condition,
  defaultCooldown,
  isStepRule,
  type Rule,
  type Statistic,
  settingOf,
} from "../control/rule.ts";
import { isKnownSignal, signalKeys } from "../control/signals.ts";
import { messageOf, UsageError } from "../util/errors.ts";
import { nearest } from "./nearest.ts";
import { readSource, type Source } from "./source.ts";

const statistics = [
  "value",
  "rise",
  "ratio_to_first",
  "ratio_to_median",
  "ratio_to_max",
  "below_minimum",
  "change",
  "range",
  "slope",
  "standard_errors",
  "correlation",
  "changed",
] as const satisfies readonly Statistic[];
const ofNewestAlone: readonly Statistic[] = ["value", "rise", "ratio_to_first", "changed"];
const withAnother: readonly Statistic[] = ["standard_errors", "correlation"];

const count = z.int().positive();
const conditionSchema = z.strictObject({
  signal: z.string(),
  statistic: z.enum(statistics).default("value"),
  over: count.default(1),
  with: z.string().optional(),
  above: z.number().optional(),
  below: z.number().optional(),
  unit: z.enum(["as_is", "reference_std"]).default("as_is"),
});
/** It multiplies a setting: never one that raises what keeps a run inside its bounds. */
const factors = {
  learningRate: z.number().gt(0).lt(1),
  clip: z.number().gt(0).lt(1),
  valueUpdates: z.int().min(2).max(8),
  klCoef: z.number().gt(0).max(10),
};
const moments = ["mask", "skip", "endEpochs", "pause", "stop", "rollback"] as const;
const actionSchema = z.union([
  z.enum(moments),
  z.strictObject({ learningRate: factors.learningRate }),
  z.strictObject({ clip: factors.clip }),
  z.strictObject({ valueUpdates: factors.valueUpdates }),
  z.strictObject({ klCoef: factors.klCoef }),
  z.strictObject({ rollback: z.record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.null()])) }),
]);
const ruleSchema = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9_]*$/),
  tier: z.union([z.literal(1), z.literal(2), z.literal(3)]),
  says: z.string().optional(),
  when: z.union([conditionSchema, z.array(conditionSchema).min(1)]),
  window: z.union([count, z.string().regex(/^\d+ of \d+$/)]).default(1),
  minHistory: count.optional(),
  action: actionSchema.optional(),
  duration: count.default(10),
  cooldown: z.int().min(0).optional(),
  priority: z.number().default(0),
  scale: z
    .strictObject({
      entropy: z.enum(["absolute", "relative"]).optional(),
      safety: z.enum(["absolute", "relative"]).optional(),
    })
    .default({}),
  source: z.string().min(1),
});
const fileSchema = z.strictObject({ rules: z.array(z.unknown()).min(1) });

/** Longest look back, in observations. */
const longestHistory = 1000;

/** Rules from a text; `file` names it in messages. Errors: UsageError with line and remedy, for all mistakes at once. */
export function parseRules(text: string, file: string): Rule[] {
  const source = readSource(text, file);
  const mistakes: string[] = [];
  const top = fileSchema.safeParse(source.root);
  if (!top.success) throw new UsageError(`${file}:1: expected a list of rules under the key \`rules\``, seeDocs);
  const rules = top.data.rules.flatMap((entry, i) => {
    const parsed = ruleSchema.safeParse(entry);
    const name = ruleName(entry, i);
    const say = (path: readonly PropertyKey[], message: string) =>
      mistakes.push(`${file}:${source.lineOf(["rules", i, ...path.map(key)])}: ${name}: ${message}`);
    if (!parsed.success) {
      for (const issue of parsed.error.issues) for (const [path, message] of inWords(issue, entry)) say(path, message);
      return [];
    }
    const rule = toRule(parsed.data);
    for (const [path, message] of oddities(rule)) say(path, message);
    return [rule];
  });
  mistakes.push(...contradictions(rules, source));
  if (mistakes.length > 0)
    throw new UsageError(
      mistakes.length === 1 ? mistakes[0]! : `${mistakes.length} mistakes in the rules\n${mistakes.join("\n")}`,
      seeDocs,
    );
  return rules;
}

const seeDocs = "docs/control.md explains the language of rules; rules/default.yaml is an example.";

/** The rules that Ballast ships. */
export function defaultRules(): Rule[] {
  return parseRules(readFileSync(new URL("../../rules/default.yaml", import.meta.url), "utf8"), "rules/default.yaml");
}

/**
 * The shipped rules and those of `path`; a rule with a shipped rule's id stands in its place. Errors: UsageError, also where a
 * rule of the user looks back over more iterations than the run has, or contradicts another.
 */
export function loadRules(options: {
  readonly path: string | undefined;
  readonly disable?: readonly string[];
  /** Of the run; a rule that needs more can never hold. */
  readonly iterations?: number;
}): Rule[] {
  const { path, disable = [], iterations = longestHistory } = options;
  const shipped = defaultRules();
  const own = path === undefined ? [] : parseRules(textOf(path), path);
  for (const rule of own) {
    const needs = Math.max(rule.window.of, rule.minHistory, ...rule.conditions.map(lookback));
    if (needs > iterations)
      throw new UsageError(
        `${path}: rule ${rule.id} looks back over ${needs} iterations; the run has ${iterations}`,
        "Shorten its window, its `over` or its minHistory.",
      );
  }
  const rules = [...shipped.map((rule) => own.find(({ id }) => id === rule.id) ?? rule)];
  rules.push(...own.filter(({ id }) => !shipped.some((rule) => rule.id === id)));
  for (const id of disable) {
    if (rules.some((rule) => rule.id === id)) continue;
    const near = nearest(
      id,
      rules.map((rule) => rule.id),
    );
    throw new UsageError(
      `control.disable: there is no rule ${id}`,
      near === undefined ? "`ballast rules list` shows all." : `Did you mean ${near}?`,
    );
  }
  const used = rules.filter(({ id }) => !disable.includes(id));
  const clashes = contradictions(used, null);
  if (clashes.length > 0) throw new UsageError(clashes.join("\n"), seeDocs);
  return used;
}

/** Whether the rule is in use on these scales. */
export function fitsScale(
  { scale }: Rule,
  control: { readonly entropy: { readonly scale: string }; readonly safety: { readonly scale: string } },
): boolean {
  return (
    (scale.entropy ?? control.entropy.scale) === control.entropy.scale &&
    (scale.safety ?? control.safety.scale) === control.safety.scale
  );
}

function toRule(raw: z.infer<typeof ruleSchema>): Rule {
  const conditions = [raw.when].flat().map(
    ({ signal, statistic, over, with: other, above, below, unit }): Condition => ({
      signal,
      statistic,
      over,
      with: other ?? null,
      above: above ?? null,
      below: below ?? null,
      unit,
    }),
  ) as [Condition, ...Condition[]];
  const [hits, of] =
    typeof raw.window === "number"
      ? [raw.window, raw.window]
      : (raw.window.split(" of ").map(Number) as [number, number]);
  const rule = { id: raw.id, tier: raw.tier, conditions, window: { hits, of } };
  return {
    ...rule,
    says: raw.says ?? conditions[0].signal,
    minHistory: raw.minHistory ?? Math.max(of, lookback(conditions[0])),
    action: raw.action === undefined ? null : toAction(raw.action),
    duration: raw.duration,
    cooldown: raw.cooldown ?? defaultCooldown(rule),
    priority: raw.priority,
    scale: {
      ...(raw.scale.entropy && { entropy: raw.scale.entropy }),
      ...(raw.scale.safety && { safety: raw.scale.safety }),
    },
    source: raw.source,
  };
}

function toAction(raw: z.infer<typeof actionSchema>): Action {
  if (typeof raw === "string") return { kind: raw, factor: null, set: {} };
  if ("rollback" in raw) return { kind: "rollback", factor: null, set: raw.rollback };
  const [kind, factor] = Object.entries(raw)[0] as [Action["kind"], number];
  return { kind, factor, set: {} };
}

/** What the schema cannot see: words that are none, conditions that can never hold, actions in the wrong place. */
function* oddities(rule: Rule): Generator<[readonly PropertyKey[], string]> {
  const { conditions, window, tier, action, minHistory } = rule;
  for (const [c, condition] of conditions.entries()) {
    const { signal, statistic, over, with: other, above, below } = condition;
    const at = ["when", ...(conditions.length > 1 ? [c] : [])];
    for (const name of other === null ? [signal] : [signal, other]) {
      if (isKnownSignal(name)) continue;
      const near = nearest(name, signalKeys);
      yield [at, `there is no signal ${name}${near ? `; did you mean ${near}?` : " (docs/metrics.md lists all)"}`];
    }
    if ((above === null) === (below === null)) yield [at, "a condition needs either `above` or `below`"];
    if (withAnother.includes(statistic) !== (other !== null))
      yield [at, other === null ? `${statistic} needs a second signal, \`with\`` : `${statistic} takes no \`with\``];
    if (ofNewestAlone.includes(statistic) !== (over === 1))
      yield [
        at,
        over === 1
          ? `${statistic} needs \`over\`, of at least 2 iterations`
          : `${statistic} is of the newest value alone and takes no \`over\``,
      ];
    if (lookback(condition) > longestHistory)
      yield [
        at,
        `it looks back over ${lookback(condition)} iterations; the history that is kept has ${longestHistory}`,
      ];
  }
  if (window.of > longestHistory)
    yield [
      ["window"],
      `a window of ${window.of} is longer than the history that is kept, ${longestHistory} iterations`,
    ];
  if (window.hits > window.of || window.hits === 0)
    yield [["window"], `"${window.hits} of ${window.of}" can never hold, or always does`];
  if (window.of > minHistory)
    yield [["minHistory"], `a window of ${window.of} is longer than minHistory ${minHistory}; raise minHistory`];
  const step = isStepRule(rule);
  if (step && (window.of > 1 || conditions.some(({ statistic }) => statistic !== "value")))
    yield [["when"], "a rule on a step's signals sees this step alone: no window, no statistic"];
  if (conditions.some(({ signal }) => signal.startsWith("step/") !== step))
    yield [["when"], "signals of a step and of an iteration do not stand in one rule"];
  if (tier === 3 && action !== null)
    yield [["action"], "tier 3 records and does nothing: make it tier 2, or drop the action"];
  if (tier === 2 && action === null) yield [["action"], "tier 2 acts: give it an action, or make it tier 3"];
  const duringUpdate = action !== null && ["mask", "skip", "endEpochs"].includes(action.kind);
  if (duringUpdate && !step) yield [["action"], `${action.kind} is for rules on a step's signals (step/...)`];
}

/** Pairs of rules that would pull one setting both ways on the same reading of one signal; ids that are given twice. */
function contradictions(rules: readonly Rule[], source: Source | null): string[] {
  const place = (i: number) => (source === null ? "" : `${source.file}:${source.lineOf(["rules", i])}: `);
  return rules.flatMap((a, i) =>
    rules.slice(0, i).flatMap((b) => {
      if (a.id === b.id) return [`${place(i)}the id ${a.id} is given twice`];
      const setting = settingOf(a.action);
      const opposed =
        setting !== null &&
        setting === settingOf(b.action) &&
        Math.sign(Math.log(a.action!.factor!)) !== Math.sign(Math.log(b.action!.factor!)) &&
        bothHold(a.conditions[0], b.conditions[0]);
      return opposed
        ? [
            `${place(i)}rules ${b.id} and ${a.id} contradict each other: both can hold on one value of ${a.conditions[0].signal}, and they move ${setting} opposite ways`,
          ]
        : [];
    }),
  );
}

function bothHold(a: Condition, b: Condition): boolean {
  if (a.signal !== b.signal || a.statistic !== b.statistic || a.over !== b.over) return false;
  const low = Math.max(a.above ?? -Infinity, b.above ?? -Infinity);
  const high = Math.min(a.below ?? Infinity, b.below ?? Infinity);
  return low < high;
}

function inWords(issue: z.core.$ZodIssue, entry: unknown): [readonly PropertyKey[], string][] {
  const { path } = issue;
  if (issue.code === "unrecognized_keys") {
    const known = path.includes("when") ? Object.keys(conditionSchema.shape) : Object.keys(ruleSchema.shape);
    return issue.keys.map((name) => {
      const near = nearest(name, known);
      return [
        [...path, name],
        `unknown key "${name}"${near ? `; did you mean ${near}?` : `; it may have ${known.join(", ")}`}`,
      ];
    });
  }
  if (issue.code === "invalid_union" && path.at(-1) === "action") return [[path, actionMistake(at(entry, path))]];
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const isList = Array.isArray(at(entry, path));
    const branch = issue.errors[isList ? issue.errors.length - 1 : 0] ?? [];
    return branch.flatMap((inner) => inWords({ ...inner, path: [...path, ...inner.path] } as z.core.$ZodIssue, entry));
  }
  if (issue.code === "invalid_value") {
    const found = at(entry, path);
    const near = typeof found === "string" ? nearest(found, issue.values.map(String)) : undefined;
    return [
      [
        path,
        `${path.join(".")}: expected one of ${issue.values.join(", ")}, found ${JSON.stringify(found)}${near ? `; did you mean ${near}?` : ""}`,
      ],
    ];
  }
  return [[path, `${path.join(".")}: ${issue.message}`]];
}

function actionMistake(found: unknown): string {
  const all = [...Object.keys(factors), ...moments];
  const name = typeof found === "object" && found !== null ? Object.keys(found)[0] : String(found);
  if (name !== undefined && name in factors && typeof found === "object") {
    const parsed = factors[name as keyof typeof factors].safeParse((found as Record<string, unknown>)[name]);
    if (!parsed.success)
      return `${name}: ${parsed.error.issues[0]!.message}: it would push the setting out of its bounds`;
  }
  if (name !== undefined && name in factors)
    return `${name} needs a factor: {${name}: ${name === "klCoef" ? 1.5 : name === "valueUpdates" ? 2 : 0.7}}`;
  const near = nearest(name ?? "", all);
  return `there is no action ${name}${near ? `; did you mean ${near}?` : `; they are ${all.join(", ")}`}`;
}

function at(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, name) => (value as Record<PropertyKey, unknown> | undefined)?.[name], root);
}

function key(part: PropertyKey): string | number {
  return typeof part === "number" ? part : String(part);
}

function ruleName(entry: unknown, i: number): string {
  const id = (entry as { id?: unknown } | null)?.id;
  return typeof id === "string" ? `rule ${id}` : `rule ${i + 1}`;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw new UsageError(`there is no file of rules ${path}`);
    throw new UsageError(`cannot read the rules ${path}: ${messageOf(error)}`);
  }
}
