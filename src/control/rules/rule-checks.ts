/** Checks that the schema of rules cannot make: unknown words, conditions that can never hold, rules that contradict each other. */
import { z } from "zod";
import { liveSettings } from "../../settings/live-settings.ts";
import { expectation, schemaAt } from "../../settings/schema-fields.ts";
import { isKnownSignal, signalKeys } from "../../signals/known-signals.ts";
import { nearest } from "../../util/nearest.ts";
import { lookback } from "../condition.ts";
import { longestBaseline } from "../observed.ts";
import { type Condition, comparesWithFirst, isStepRule, leverOf, type Rule, type Statistic } from "./rule.ts";
import { type Mistake, suggestion } from "./rule-words.ts";

const ofNewestAlone: readonly Statistic[] = ["value", "changed"];
const withAnother: readonly Statistic[] = ["standard_errors", "rise_errors", "correlation"];

/** Longest history that a rule may need, in observations. */
const longestHistory = 1000;

/** What is wrong with a single rule. */
export function oddities(rule: Rule): Mistake[] {
  const places = rule.conditions.map((_, c) => ["when", ...(rule.conditions.length > 1 ? [c] : [])]);
  return [
    ...rule.conditions.flatMap((condition, c) => [...conditionOddities(condition, places[c]!)]),
    ...impossible(rule.conditions).map((message): Mistake => [["when"], message]),
    ...windowOddities(rule),
    ...actionOddities(rule),
  ];
}

function* conditionOddities(condition: Condition, at: readonly PropertyKey[]): Generator<Mistake> {
  const { signal, statistic, over, with: other, above, below } = condition;
  for (const name of other === null ? [signal] : [signal, other]) {
    if (isKnownSignal(name)) continue;
    const near = nearest(name, signalKeys);
    const where = [...at, name === signal ? "signal" : "with"];
    yield [where, `there is no signal ${name}${near ? `; did you mean ${near}?` : "; docs/metrics.md lists all"}`];
  }
  if (above === null && below === null) yield [at, "a condition needs a threshold: `above` or `below`"];
  if (above !== null && below !== null)
    yield [at, "a condition has one threshold, `above` or `below`: write two conditions for both"];
  if (withAnother.includes(statistic) !== (other !== null))
    yield [at, other === null ? `${statistic} needs a second signal, \`with\`` : `${statistic} takes no \`with\``];
  if (comparesWithFirst.has(statistic)) {
    if (over > longestBaseline)
      yield [at, `${statistic} compares with at most the first ${longestBaseline} observations; \`over\` is ${over}`];
  } else if (ofNewestAlone.includes(statistic) !== (over === 1))
    yield [
      at,
      over === 1
        ? `${statistic} needs \`over\`, of at least 2 observations`
        : `${statistic} reads only the newest value and takes no \`over\``,
    ];
  if (lookback(condition) > longestHistory)
    yield [
      at,
      `it looks back over ${lookback(condition)} observations; the history that is kept has ${longestHistory}`,
    ];
}

/** Conditions of one rule on the same reading that exclude each other. */
function impossible(conditions: readonly Condition[]): string[] {
  return conditions.flatMap((a, i) =>
    conditions
      .slice(0, i)
      .filter((b) => sameReading(a, b) && !bothHold(a, b))
      .map(() => `it can never hold: no value of ${a.signal} is on both of these sides`),
  );
}

function* windowOddities({ window: { hits, of }, minHistory }: Rule): Generator<Mistake> {
  if (of > longestHistory)
    yield [["window"], `a window of ${of} is longer than the history that is kept, ${longestHistory} observations`];
  if (hits > of) yield [["window"], `"${hits} of ${of}" can never hold: write "${of} of ${hits}"`];
  if (hits === 0) yield [["window"], `"0 of ${of}" always holds: it must be at least 1`];
  if (of > minHistory)
    yield [["minHistory"], `a window of ${of} is longer than minHistory ${minHistory}; raise minHistory`];
}

function* actionOddities(rule: Rule): Generator<Mistake> {
  const { conditions, window, tier, action } = rule;
  const step = isStepRule(rule);
  if (step && (window.of > 1 || conditions.some(({ statistic }) => statistic !== "value")))
    yield [["when"], "a rule on a step's signals sees only this step: it takes no window and no statistic"];
  if (conditions.some(({ signal }) => signal.startsWith("step/") !== step))
    yield [["when"], "a rule cannot combine signals of a step and of an iteration"];
  if (tier === 3 && action !== null)
    yield [["action"], "tier 3 records and does nothing: make it tier 2, or drop the action"];
  if (tier === 2 && action === null) yield [["tier"], "tier 2 acts: give it an action, or make it tier 3"];
  if (action === null) return;
  if (["mask", "skip", "endEpochs"].includes(action.kind) && !step)
    yield [["action"], `${action.kind} is for rules on a step's signals (step/...)`];
  for (const [key, value] of Object.entries(action.set)) {
    const schema = live.includes(key) ? schemaAt(key.split("."), {}) : undefined;
    if (schema === undefined) {
      const advice = suggestion(key, live, "it may change");
      yield [["action"], `a rollback cannot change ${key}${advice}`];
    } else if (!z.core.safeParse(schema, value).success)
      yield [["action"], `${key}: expected ${expectation(schema)}, found ${value}`];
  }
}

/** The settings that may change while PPO runs. */
const live = liveSettings.ppo.map((name) => `ppo.${name}`);

/** Two rules that would pull one setting in opposite directions on the same reading of one signal. */
export interface Contradiction {
  readonly rules: readonly [Rule, Rule];
  readonly message: string;
}

export function contradictions(rules: readonly Rule[]): Contradiction[] {
  return rules.flatMap((rule, i) =>
    rules
      .slice(0, i)
      .filter((other) => opposed(other, rule) && couldMeet(other, rule))
      .map((other) => ({
        rules: [other, rule] as const,
        message: `rules ${other.id} and ${rule.id} contradict each other: both can hold on one value of ${rule.conditions[0].signal}, and they move ${leverOf(rule.action)} opposite ways; disable one, or separate their thresholds`,
      })),
  );
}

function opposed(a: Rule, b: Rule): boolean {
  const lever = leverOf(a.action);
  if (lever === null || lever !== leverOf(b.action)) return false;
  return Math.sign(Math.log(a.action!.factor!)) !== Math.sign(Math.log(b.action!.factor!));
}

/** Rules of different scales are never in use together. */
function couldMeet(a: Rule, b: Rule): boolean {
  const apart = (["entropy", "safety"] as const).some(
    (name) => a.scale[name] !== undefined && b.scale[name] !== undefined && a.scale[name] !== b.scale[name],
  );
  const readings = a.conditions.flatMap((x) =>
    b.conditions.filter((y) => sameReading(x, y)).map((y) => [x, y] as const),
  );
  return !apart && readings.length > 0 && readings.every(([x, y]) => bothHold(x, y));
}

function sameReading(a: Condition, b: Condition): boolean {
  return a.signal === b.signal && a.statistic === b.statistic && a.over === b.over && a.with === b.with;
}

function bothHold(a: Condition, b: Condition): boolean {
  const low = Math.max(a.above ?? -Infinity, b.above ?? -Infinity);
  const high = Math.min(a.below ?? Infinity, b.below ?? Infinity);
  return low < high;
}
