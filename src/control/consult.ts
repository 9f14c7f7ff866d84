/** The controller as a pure function: from rules, memory and signals to alerts, interventions and orders. */
import type { Alert, Intervention, InterventionOutcome, Shown } from "../types/alerts.ts";
import { type ActOptions, act, expire } from "./act.ts";
import { firstLookedAt, historyLengths, holds, statisticOf } from "./condition.ts";
import { observed } from "./observed.ts";
import { merged, noOrders, type Orders } from "./orders.ts";
import { conditionWords, isStepRule, type Rule } from "./rules/rule.ts";
import type { ControlState } from "./state.ts";

export interface ConsultOptions extends ActOptions {
  /** The rules in use, in the order in which they are listed. */
  readonly rules: readonly Rule[];
  readonly state: ControlState;
  readonly consultation: Pick<Shown, "iteration" | "point" | "step" | "signals">;
}

export interface Consulted {
  readonly state: ControlState;
  readonly alerts: readonly Alert[];
  readonly interventions: readonly Intervention[];
  readonly outcomes: readonly InterventionOutcome[];
  readonly orders: Orders;
}

/** One consultation. The same input gives the same output: a recorded run can be replayed, also against different rules. */
export function consult(options: ConsultOptions): Consulted {
  const { rules, consultation } = options;
  const { iteration, point, signals } = consultation;
  if (point === "step") return decide(options, options.state, stepAlerts(options));

  const used = rules.filter((rule) => !isStepRule(rule));
  const history = observed(options.state.history, { iteration, signals, lengths: historyLengths(used) });
  // Copied only once: a copy for each rule would make the cost quadratic.
  const evaluated = { ...options.state.evaluated };
  const held = { ...options.state.held };
  let state: ControlState = { ...options.state, history, evaluated, held };
  const spoken: [Rule, Alert][] = [];
  for (const rule of used) {
    const { id, conditions, window, minHistory } = rule;
    const series = history[conditions[0].signal];
    if (series?.iteration !== iteration || evaluated[id] === iteration) continue;
    const holdsNow = conditions.every((condition) => holds(condition, history));
    const lately = [...(held[id] ?? []), holdsNow].slice(-window.of);
    evaluated[id] = iteration;
    held[id] = lately;
    const active = state.active.map((one) => (one.rule === id ? judged(one, { rule, iteration, holdsNow }) : one));
    state = { ...state, active };
    const breached = lately.filter(Boolean).length >= window.hits;
    if (!breached || series.count < minHistory) continue;
    if (rule.tier < 3) state = { ...state, troubled: iteration };
    if (iteration >= (state.silentUntil[id] ?? 0)) spoken.push([rule, alertOf(rule, state, consultation)]);
  }
  if (point === "scored") return decide(options, state, spoken);
  // Interventions that end with this iteration free their setting for those that begin with the next.
  if (state.active.length > 0) state = { ...state, troubled: iteration };
  const ended = expire(state, { iteration, rules });
  // A rule that still holds after its intervention had no effect speaks again at once, cool-down or not.
  const idle = ended.outcomes.filter(({ result }) => result === "no effect").map(({ intervention }) => intervention);
  const failing = state.active.filter(({ id }) => idle.includes(id)).map(({ rule }) => rule);
  const again = used
    .filter((rule) => failing.includes(rule.id) && spoken.every(([one]) => one !== rule))
    .filter(({ id, window }) => (held[id] ?? []).filter(Boolean).length >= window.hits)
    .map((rule): [Rule, Alert] => [rule, alertOf(rule, state, consultation)]);
  const decided = decide(options, ended.state, [...spoken, ...again]);
  return { ...decided, outcomes: [...ended.outcomes, ...decided.outcomes] };
}

/** Acts on the alerts in order: the higher tier first, then the higher priority, then the order of the list. */
function decide(options: ConsultOptions, state: ControlState, spoken: readonly (readonly [Rule, Alert])[]): Consulted {
  const { iteration } = options.consultation;
  const order = [...spoken].sort(([a], [b]) => a.tier - b.tier || b.priority - a.priority);
  const interventions: Intervention[] = [];
  const outcomes: InterventionOutcome[] = [];
  let orders = noOrders;
  const silentUntil = { ...state.silentUntil };
  for (const [{ id, cooldown }] of order) silentUntil[id] = iteration + cooldown;
  let now: ControlState = { ...state, silentUntil };
  const unanswered = new Map<Alert, string>();
  for (const [rule, alert] of order) {
    const acted = act(now, { ...options, rule, alert });
    if (acted.why !== undefined) unanswered.set(alert, acted.why);
    now = acted.state;
    interventions.push(...acted.interventions);
    outcomes.push(...acted.outcomes);
    orders = merged(orders, acted.orders);
  }
  const alerts = spoken.map(([, alert]) => {
    const why = unanswered.get(alert);
    return why === undefined ? alert : { ...alert, message: `${alert.message}  ->  ${why}` };
  });
  return { state: now, alerts, interventions, outcomes, orders };
}

function judged(
  one: ControlState["active"][number],
  { rule, iteration, holdsNow }: { rule: Rule; iteration: number; holdsNow: boolean },
): ControlState["active"][number] {
  if (iteration < one.from) return one;
  const quiet = holdsNow ? 0 : one.quiet + 1;
  const effective = one.effectiveAfter === null && quiet >= rule.window.of;
  return { ...one, quiet, effectiveAfter: effective ? iteration - rule.window.of + 2 - one.from : one.effectiveAfter };
}

function stepAlerts({ rules, state, consultation }: ConsultOptions): [Rule, Alert][] {
  const { iteration, signals } = consultation;
  const history = Object.fromEntries(
    Object.entries(signals).map(([key, value]) => [key, { first: value, count: 1, values: [value], iteration }]),
  );
  return rules
    .filter((rule) => isStepRule(rule) && iteration >= (state.silentUntil[rule.id] ?? 0))
    .filter(({ conditions }) => conditions.every((condition) => holds(condition, history)))
    .map((rule) => [rule, alertOf(rule, { history }, consultation)]);
}

function alertOf(rule: Rule, { history }: Pick<ControlState, "history">, at: ConsultOptions["consultation"]): Alert {
  const { id, tier, says, conditions, window, advice } = rule;
  const [first] = conditions;
  const { values } = history[first.signal]!;
  const condition = conditionWords(rule);
  const newest = number(values.at(-1)!);
  const seen = first.statistic === "value" ? "" : ` (${number(statisticOf(first, history) ?? Number.NaN)})`;
  return {
    rule: id,
    tier,
    iteration: at.iteration,
    since: firstLookedAt(rule, history, at.iteration),
    point: at.point,
    step: at.step,
    signal: first.signal,
    values: values.slice(-Math.max(window.of, first.over)),
    condition,
    message: `${says} ${newest}${seen} ${condition}${window.of > 1 ? " iterations" : ""}${advice === undefined ? "" : `; ${advice}`}`,
  };
}

/** Formats a number with three significant digits; NaN and infinities by name. */
function number(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : String(value);
}
