/** Interventions: how one begins, what it may not do, how it ends and how it is judged. */
import { type Bounds, type LeverName, levers } from "../steering/levers.ts";
import type { Alert, Intervention, InterventionOutcome, OperatorWord } from "../types/alerts.ts";
import type { Orders } from "./orders.ts";
import { actionWords, conditionWords, leverOf, type Rule } from "./rules/rule.ts";
import type { ActiveIntervention, ControlState, Observation } from "./state.ts";

export interface ActOptions {
  /** `fixed` acts on tier 1 alone. */
  readonly profile: "fixed" | "adaptive";
  /** `off`: alerts, and nothing else. */
  readonly interventions: "on" | "off";
  /** What config and schedule say of each lever's bounded value in this iteration. */
  readonly base: Readonly<Record<LeverName, number>>;
  /** What an intervention must keep it within. */
  readonly bounds: Readonly<Record<LeverName, Bounds>>;
}

interface Acted {
  readonly state: ControlState;
  readonly interventions: readonly Intervention[];
  readonly outcomes: readonly InterventionOutcome[];
  readonly orders: Partial<Orders>;
}

/** A lever whose interventions escalate is never multiplied by less. */
const lowestMultiplier = 0.01;

/** What follows of one alert. */
export function act(state: ControlState, options: ActOptions & { rule: Rule; alert: Alert }): Acted {
  const { rule, alert, profile, interventions } = options;
  const nothing: Acted = { state, interventions: [], outcomes: [], orders: {} };
  if (interventions === "off" || (rule.tier > 1 && profile === "fixed")) return nothing;
  const action = rule.tier === 1 && rule.action === null ? stopAction : rule.action;
  if (action === null) return nothing;
  const lever = leverOf(action);
  if (lever !== null) return change(state, { ...options, setting: lever });
  const { kind, set } = action;
  const intervention = recordOf({ ...rule, action }, alert, { id: state.interventions + 1, from: alert.iteration });
  const orders: Partial<Orders> = {
    ...(kind === "pause" && { stop: alert }),
    ...(kind === "stop" && { end: alert }),
    ...(kind === "rollback" && { rollback: { alert, set } }),
    ...(kind === "mask" && { mask: true }),
    ...(kind === "skip" && { skip: true }),
    ...(kind === "endEpochs" && { endEpochs: true }),
  };
  const next = { ...state, interventions: state.interventions + 1, troubled: alert.iteration };
  return { state: next, interventions: [intervention], outcomes: [], orders };
}

const stopAction = { kind: "pause", factor: null, set: {} } as const;

/** Begins a temporary intervention, unless another one that outranks it holds the setting. */
function change(state: ControlState, options: ActOptions & { rule: Rule; alert: Alert; setting: LeverName }): Acted {
  const { rule, alert, setting, base, bounds } = options;
  const nothing: Acted = { state, interventions: [], outcomes: [], orders: {} };
  const { actsIn, escalates } = levers[setting];
  // After scoring the update is still to come; after it, the next one is.
  const from = alert.point === "updated" || actsIn === "next" ? alert.iteration + 1 : alert.iteration;
  const holder = state.active.find((one) => one.setting === setting);
  const breach = escalates ? observationOf(state, { rule, holder, iteration: from }) : null;
  if (holder?.rule === rule.id && breach?.again !== true) return nothing;
  if (holder !== undefined && holder.rule !== rule.id && !outranks(rule, holder)) return nothing;
  const wanted = breach?.factor ?? rule.action!.factor!;
  const factor = bounded(wanted, base[setting], bounds[setting]);
  // At its bound already: there is nothing to do.
  if (factor === 1 || factor === holder?.factor) return nothing;
  const duration = breach?.duration ?? rule.duration;
  const id = state.interventions + 1;
  const words = actionWords({ action: rule.action, duration }, Number(factor.toPrecision(3)));
  const record = { ...recordOf(rule, alert, { id, from }), factor, until: from + duration };
  const began: ActiveIntervention = {
    ...record,
    setting,
    reason: `${alert.message}  ->  ${words} (${rule.id})`,
    quiet: 0,
    effectiveAfter: null,
  };
  const { quiet, effectiveAfter, setting: _, ...intervention } = began;
  const replaced = holder === undefined ? [] : [replacedOutcome(holder, { iteration: alert.iteration, by: rule.id })];
  return {
    state: {
      ...state,
      interventions: id,
      troubled: alert.iteration,
      active: [...state.active.filter((one) => one !== holder), began],
      observations: breach ? { ...state.observations, [rule.id]: breach.observation } : state.observations,
    },
    interventions: [intervention],
    outcomes: replaced,
    orders: {},
  };
}

/** The tier above wins; within a tier the one that holds the setting does. */
function outranks(rule: Rule, holder: ActiveIntervention): boolean {
  return rule.tier < holder.tier;
}

/**
 * The learning rate's middle time scale. The first breach is answered by the rule's own factor and duration. A second one
 * inside the observation window: the multiplier falls to the lowest used in the last healthy window and to at most half the
 * present one, and the window doubles. It multiplies the schedule, so that it can never raise the rate.
 */
function observationOf(
  state: ControlState,
  { rule, holder, iteration }: { rule: Rule; holder: ActiveIntervention | undefined; iteration: number },
): { again: boolean; factor: number; duration: number; observation: Observation } {
  const { duration } = rule;
  const factor = rule.action!.factor!;
  const last = state.observations[rule.id];
  if (last !== undefined && iteration < last.until) {
    const lower = Math.max(lowestMultiplier, Math.min(last.lowestHealthy, (holder?.factor ?? 1) / 2));
    const window = 2 * last.window;
    const observation = { ...last, window, until: iteration + window, lowest: Math.min(lower, last.lowest) };
    return { again: true, factor: lower, duration: window / 2, observation };
  }
  const window = 2 * duration;
  const lowestHealthy = last?.lowest ?? 1;
  return {
    again: false,
    factor,
    duration,
    observation: { window, until: iteration + window, lowest: factor, lowestHealthy },
  };
}

function bounded(factor: number, base: number, { min, max }: { min: number; max: number }): number {
  if (!(base > 0)) return 1;
  // A base outside the bounds is what a person said: the intervention may lead back, never further out.
  const low = Math.min(min, base);
  const high = Math.max(max, base);
  return Math.min(Math.max(base * factor, low), high) / base;
}

function recordOf(rule: Rule, alert: Alert, { id, from }: { id: number; from: number }): Intervention {
  const { action, tier } = rule;
  return {
    id,
    rule: rule.id,
    tier,
    action: action!.kind,
    factor: action!.factor,
    signal: alert.signal,
    condition: alert.condition,
    values: alert.values,
    from,
    until: null,
    reason: `${alert.message}  ->  ${actionWords(rule)} (${rule.id})`,
  };
}

/** Ends the interventions whose last iteration this was, and says what they did. */
export function expire(
  state: ControlState,
  { iteration, rules }: { iteration: number; rules: readonly Rule[] },
): { state: ControlState; outcomes: InterventionOutcome[] } {
  const over = state.active.filter((one) => one.until <= iteration + 1);
  const outcomes = over.map((one): InterventionOutcome => {
    const rule = rules.find(({ id }) => id === one.rule);
    const what = rule === undefined ? one.condition : conditionWords(rule);
    const restored = `${levers[one.setting].words} restored`;
    const effective = one.effectiveAfter !== null;
    const message = effective
      ? `outcome of ${one.rule}: ${rule?.says ?? one.signal} no longer ${what} after ${one.effectiveAfter} iterations; ${restored}`
      : `outcome of ${one.rule}: no effect, ${rule?.says ?? one.signal} still ${what}; ${restored}`;
    const result = effective ? "effective" : "no effect";
    return { intervention: one.id, iteration, result, after: one.effectiveAfter, message };
  });
  return { state: { ...state, active: state.active.filter((one) => !over.includes(one)) }, outcomes };
}

function replacedOutcome(
  holder: ActiveIntervention,
  { iteration, by }: { iteration: number; by: string },
): InterventionOutcome {
  const message = `outcome of ${holder.rule}: replaced by ${by}`;
  return { intervention: holder.id, iteration, result: "replaced", after: holder.effectiveAfter, message };
}

/** What the controller made of an operator's word, and what ended with it. */
export interface Heard {
  readonly state: ControlState;
  readonly outcomes: readonly InterventionOutcome[];
}

/** What follows of an operator's word, which holds from `iteration` on. */
export function hear(
  state: ControlState,
  { word, iteration, rules }: { word: OperatorWord; iteration: number; rules: readonly Rule[] },
): Heard {
  switch (word.kind) {
    case "set":
      return setByPerson(state, { setting: word.lever, iteration, rules });
    case "undone":
      return undone(state, { rule: word.rule, iteration, rules });
    case "acknowledged":
      return { state: acknowledged(state, { ...word, rules }), outcomes: [] };
  }
}

/** Whether an operator's word ends what is in force. */
export function ends(word: OperatorWord, one: ActiveIntervention): boolean {
  return word.kind === "set" ? one.setting === word.lever : word.kind === "undone" && one.rule === word.rule;
}

/** A person set it: what is in force on it ends, and the rules that wanted it are silent for their cool-down. */
export function setByPerson(
  state: ControlState,
  { setting, iteration, rules }: { setting: LeverName; iteration: number; rules: readonly Rule[] },
): Heard {
  const ended = state.active.filter((one) => one.setting === setting);
  const silent = rules.filter(({ action }) => leverOf(action) === setting);
  const silentUntil = { ...state.silentUntil };
  for (const { id, cooldown } of silent) silentUntil[id] = Math.max(silentUntil[id] ?? 0, iteration + cooldown);
  return {
    state: { ...withoutEnded(state, { ended, iteration }), silentUntil },
    outcomes: ended.map((one) => replacedOutcome(one, { iteration, by: "a person" })),
  };
}

/**
 * A person took back what a rule did: its intervention ends before this iteration, and the rule is silent for its cool-down, or would do
 * the same again at once. Nothing changes where the rule has none in force.
 */
export function undone(
  state: ControlState,
  { rule, iteration, rules }: { rule: string; iteration: number; rules: readonly Rule[] },
): Heard {
  const ended = state.active.filter((one) => one.rule === rule);
  if (ended.length === 0) return { state, outcomes: [] };
  const cooldown = rules.find(({ id }) => id === rule)?.cooldown || shortestPause;
  const silentUntil = { ...state.silentUntil, [rule]: Math.max(state.silentUntil[rule] ?? 0, iteration + cooldown) };
  // The next breach is a first one: what was taken back must not come again for twice as long.
  const { [rule]: _, ...observations } = state.observations;
  return {
    state: { ...withoutEnded(state, { ended, iteration }), silentUntil, observations },
    outcomes: ended.map((one) => {
      const message = `outcome of ${rule}: undone by a person; ${levers[one.setting].words} restored`;
      return { intervention: one.id, iteration, result: "undone", after: one.effectiveAfter, message };
    }),
  };
}

/** What people ended before this iteration, in a state that has heard them. */
export function endedBefore({ ended }: ControlState, iteration: number): readonly ActiveIntervention[] {
  return ended?.iteration === iteration ? ended.interventions : [];
}

function withoutEnded(
  state: ControlState,
  { ended, iteration }: { ended: readonly ActiveIntervention[]; iteration: number },
): ControlState {
  if (ended.length === 0) return state;
  return {
    ...state,
    active: state.active.filter((one) => !ended.includes(one)),
    ended: { iteration, interventions: [...endedBefore(state, iteration), ...ended] },
  };
}

/** A person let the run go on after an incident: its rule is silent for its cool-down, or would stop it again at once. */
export function acknowledged(
  state: ControlState,
  { rule, iteration, rules }: { rule: string; iteration: number; rules: readonly Rule[] },
): ControlState {
  const cooldown = Math.max(shortestPause, rules.find(({ id }) => id === rule)?.cooldown ?? 0);
  return { ...state, silentUntil: { ...state.silentUntil, [rule]: iteration + cooldown } };
}

/** Iterations that a rule without a cool-down, as those of tier 1, is silent after a person has decided otherwise. */
const shortestPause = 10;
