/** Interventions: how one begins, what limits it, how it ends and how it is judged. */
import { type Bounds, type LeverName, levers } from "../levers/levers.ts";
import type { Alert, Intervention, InterventionOutcome, OperatorWord } from "../types/alerts.ts";
import { failed, forgotten, mayMask, mostWithoutEffect, stronger, withoutEffect } from "./escalation.ts";
import type { Orders } from "./orders.ts";
import { actionWords, conditionWords, isStepRule, leverOf, type Rule } from "./rules/rule.ts";
import type { ActiveIntervention, ControlState, Observation } from "./state.ts";

export interface ActOptions {
  /** `fixed` acts only on tier 1. */
  readonly profile: "fixed" | "adaptive";
  /** `off`: alerts only. */
  readonly interventions: "on" | "off";
  /** Each lever's bounded value in this iteration, as given by the configuration and schedule. */
  readonly base: Readonly<Record<LeverName, number>>;
  /** The bounds within which an intervention must keep each lever's value. */
  readonly bounds: Readonly<Record<LeverName, Bounds>>;
}

interface Acted {
  readonly state: ControlState;
  readonly interventions: readonly Intervention[];
  readonly outcomes: readonly InterventionOutcome[];
  readonly orders: Partial<Orders>;
  /** Why nothing was done, for the alert's message; absent if there is nothing to say. */
  readonly why?: string;
}

/** The lowest multiplier of the learning rate: a breach that goes on below it is the operator's. */
const lowestMultiplier = 0.05;

/** The consequences of one alert. */
export function act(before: ControlState, options: ActOptions & { rule: Rule; alert: Alert }): Acted {
  let state = before;
  const { rule, alert, profile, interventions } = options;
  const nothing: Acted = { state, interventions: [], outcomes: [], orders: {} };
  if (interventions === "off" || (rule.tier > 1 && profile === "fixed")) return nothing;
  const action = rule.tier === 1 && rule.action === null ? stopAction : rule.action;
  if (action === null) return nothing;
  const lever = leverOf(action);
  if (lever !== null) return change(state, { ...options, setting: lever });
  const { kind, set } = action;
  if (kind === "mask") {
    const masking = mayMask(state, { rule, iteration: alert.iteration });
    if (!masking.allowed) return { ...nothing, state: masking.state, why: masking.why };
    state = masking.state;
  }
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

/** Begins a temporary intervention, unless one that outranks it holds the setting; calls the operator if the rule's have had no effect. */
function change(state: ControlState, options: ActOptions & { rule: Rule; alert: Alert; setting: LeverName }): Acted {
  const { rule, alert, setting, base, bounds } = options;
  const nothing: Acted = { state, interventions: [], outcomes: [], orders: {} };
  const { actsIn, escalates } = levers[setting];
  // After scoring this iteration's update is still to come; after the update, the next one is.
  const from = alert.point === "updated" || actsIn === "next" ? alert.iteration + 1 : alert.iteration;
  const holder = state.active.find((one) => one.setting === setting);
  const breach = escalates ? observationOf(state, { rule, holder, iteration: from }) : null;
  if (holder?.rule === rule.id && breach?.again !== true) return nothing;
  if (holder !== undefined && holder.rule !== rule.id && !outranks(rule, holder)) return nothing;
  const tried = withoutEffect(state, { rule, iteration: from });
  if (tried >= mostWithoutEffect || breach?.exhausted) return callOperator(state, { rule, alert, holder });
  const own = rule.action!.factor!;
  const within = (wanted: number) => bounded(wanted, base[setting], bounds[setting]);
  const factor = within(stronger(breach?.factor ?? own, { own, tried }));
  if (factor === 1 || factor === holder?.factor || (tried > 0 && factor === within(own))) {
    // The value is at its bound already: nothing stronger is left, and the next breach calls the operator.
    const why = `not acted on: the ${levers[setting].words} is at its bound`;
    return { ...nothing, state: failed(state, { rule, iteration: from, tried: mostWithoutEffect }), why };
  }
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

/** Opens an incident: the interventions of this rule have had no effect, and nothing stronger is left. */
function callOperator(
  state: ControlState,
  { rule, alert, holder }: { rule: Rule; alert: Alert; holder: ActiveIntervention | undefined },
): Acted {
  const action = stopAction;
  const id = state.interventions + 1;
  const record = recordOf({ ...rule, action }, alert, { id, from: alert.iteration });
  const words = `${alert.message}, and the ${levers[leverOf(rule.action)!].words} moved without effect`;
  const reason = `${words}  ->  ${actionWords({ action, duration: rule.duration })} (${rule.id})`;
  const outcomes = holder === undefined ? [] : [noEffectOutcome(holder, { iteration: alert.iteration, rule })];
  return {
    state: {
      ...forgotten(state, rule.id),
      interventions: id,
      troubled: alert.iteration,
      active: state.active.filter((one) => one !== holder),
    },
    interventions: [{ ...record, reason }],
    outcomes,
    orders: { stop: { ...alert, message: words } },
  };
}

/** Whether a rule outranks the one that holds the setting: the higher tier wins; within a tier the holder does. */
function outranks(rule: Rule, holder: ActiveIntervention): boolean {
  return rule.tier < holder.tier;
}

/**
 * The learning rate's middle time scale. The first breach is answered with the rule's own factor and duration. After a second one inside the
 * observation window, the multiplier falls to the lowest used in the last healthy window and to at most half the present one, and the window doubles.
 * It multiplies the schedule, so that it can never raise the rate.
 */
function observationOf(
  state: ControlState,
  { rule, holder, iteration }: { rule: Rule; holder: ActiveIntervention | undefined; iteration: number },
): { again: boolean; exhausted: boolean; factor: number; duration: number; observation: Observation } {
  const { duration } = rule;
  const factor = rule.action!.factor!;
  const last = state.observations[rule.id];
  if (last !== undefined && iteration < last.until) {
    const lower = Math.max(lowestMultiplier, Math.min(last.lowestHealthy, (holder?.factor ?? 1) / 2));
    const window = 2 * last.window;
    const observation = { ...last, window, until: iteration + window, lowest: Math.min(lower, last.lowest) };
    const exhausted = holder !== undefined && holder.effectiveAfter === null && holder.factor <= lowestMultiplier;
    return { again: true, exhausted, factor: lower, duration: window / 2, observation };
  }
  const window = 2 * duration;
  const lowestHealthy = last?.lowest ?? 1;
  return {
    again: false,
    exhausted: false,
    factor,
    duration,
    observation: { window, until: iteration + window, lowest: factor, lowestHealthy },
  };
}

function bounded(factor: number, base: number, { min, max }: { min: number; max: number }): number {
  if (!(base > 0)) return 1;
  // A base outside the bounds was set by an operator: the intervention may lead back towards them, never further out.
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

/** Ends the interventions whose last iteration this was, reports what they achieved, and remembers those without effect. */
export function expire(
  state: ControlState,
  { iteration, rules }: { iteration: number; rules: readonly Rule[] },
): { state: ControlState; outcomes: InterventionOutcome[] } {
  const over = state.active.filter((one) => one.until <= iteration + 1);
  let next: ControlState = { ...state, active: state.active.filter((one) => !over.includes(one)) };
  const outcomes = over.map((one): InterventionOutcome => {
    const rule = rules.find(({ id }) => id === one.rule);
    if (one.effectiveAfter === null) {
      // A rule on a step is not observed between its steps: nothing says that it had no effect.
      if (rule !== undefined && !isStepRule(rule)) next = failed(next, { rule, iteration: iteration + 1 });
      return noEffectOutcome(one, { iteration, rule });
    }
    next = forgotten(next, one.rule);
    const what = rule === undefined ? one.condition : conditionWords(rule);
    const says = rule?.says ?? one.signal;
    const message = `outcome of ${one.rule}: ${says} no longer ${what} after ${one.effectiveAfter} iterations; ${levers[one.setting].words} restored`;
    return { intervention: one.id, iteration, result: "effective", after: one.effectiveAfter, message };
  });
  return { state: next, outcomes };
}

function noEffectOutcome(
  one: ActiveIntervention,
  { iteration, rule }: { iteration: number; rule: Rule | undefined },
): InterventionOutcome {
  const what = rule === undefined ? one.condition : conditionWords(rule);
  const message = `outcome of ${one.rule}: no effect, ${rule?.says ?? one.signal} still ${what}; ${levers[one.setting].words} restored`;
  return { intervention: one.id, iteration, result: "no effect", after: null, message };
}

function replacedOutcome(
  holder: ActiveIntervention,
  { iteration, by }: { iteration: number; by: string },
): InterventionOutcome {
  const message = `outcome of ${holder.rule}: replaced by ${by}`;
  return { intervention: holder.id, iteration, result: "replaced", after: holder.effectiveAfter, message };
}

/** The controller's reaction to an operator's word, and the interventions that it ended. */
export interface Heard {
  readonly state: ControlState;
  readonly outcomes: readonly InterventionOutcome[];
}

/** The consequences of an operator's word, which applies from `iteration` on. */
export function hear(
  state: ControlState,
  { word, iteration, rules }: { word: OperatorWord; iteration: number; rules: readonly Rule[] },
): Heard {
  switch (word.kind) {
    case "set":
      return setByOperator(state, { setting: word.lever, iteration, rules });
    case "undone":
      return undone(state, { rule: word.rule, iteration, rules });
    case "acknowledged":
      return { state: acknowledged(state, { ...word, rules }), outcomes: [] };
  }
}

/** Whether an operator's word ends an intervention in force. */
export function ends(word: OperatorWord, one: ActiveIntervention): boolean {
  return word.kind === "set" ? one.setting === word.lever : word.kind === "undone" && one.rule === word.rule;
}

/** The operator set a lever's setting: interventions in force on it end, and the rules that wanted them are silent for their cool-down. */
export function setByOperator(
  state: ControlState,
  { setting, iteration, rules }: { setting: LeverName; iteration: number; rules: readonly Rule[] },
): Heard {
  const ended = state.active.filter((one) => one.setting === setting);
  const silent = rules.filter(({ action }) => leverOf(action) === setting);
  const silentUntil = { ...state.silentUntil };
  for (const { id, cooldown } of silent) silentUntil[id] = Math.max(silentUntil[id] ?? 0, iteration + cooldown);
  return {
    state: { ...withoutEnded(state, { ended, iteration }), silentUntil },
    outcomes: ended.map((one) => replacedOutcome(one, { iteration, by: "an operator" })),
  };
}

/**
 * The operator took back what a rule did: its intervention ends before this iteration, and the rule is silent for its cool-down, or it would act
 * again at once. Nothing changes if the rule has no intervention in force.
 */
export function undone(
  state: ControlState,
  { rule, iteration, rules }: { rule: string; iteration: number; rules: readonly Rule[] },
): Heard {
  const ended = state.active.filter((one) => one.rule === rule);
  if (ended.length === 0) return { state, outcomes: [] };
  const cooldown = rules.find(({ id }) => id === rule)?.cooldown || shortestPause;
  const silentUntil = { ...state.silentUntil, [rule]: Math.max(state.silentUntil[rule] ?? 0, iteration + cooldown) };
  // The next breach counts as a first one: an undone intervention must not return for twice as long.
  const { [rule]: _, ...observations } = state.observations;
  return {
    state: { ...forgotten(withoutEnded(state, { ended, iteration }), rule), silentUntil, observations },
    outcomes: ended.map((one) => {
      const message = `outcome of ${rule}: undone by an operator; ${levers[one.setting].words} restored`;
      return { intervention: one.id, iteration, result: "undone", after: one.effectiveAfter, message };
    }),
  };
}

/** The interventions that operators ended before this iteration, in a state that has processed their words. */
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

/** The operator let the run continue after an incident: its rule is silent for its cool-down, or it would stop the run again at once. */
export function acknowledged(
  state: ControlState,
  { rule, iteration, rules }: { rule: string; iteration: number; rules: readonly Rule[] },
): ControlState {
  const cooldown = Math.max(shortestPause, rules.find(({ id }) => id === rule)?.cooldown ?? 0);
  return { ...forgotten(state, rule), silentUntil: { ...state.silentUntil, [rule]: iteration + cooldown } };
}

/** Iterations for which a rule without a cool-down, such as those of tier 1, is silent after an operator overruled it. */
const shortestPause = 10;
