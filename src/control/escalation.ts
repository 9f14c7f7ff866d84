/** What follows an intervention without effect: a stronger one, then the operator; and how often in a row a minibatch may be masked. */
import type { Rule } from "./rules/rule.ts";
import type { ControlState } from "./state.ts";

/** Interventions of one rule in a row that may have no effect before the operator is called. */
export const mostWithoutEffect = 2;
/** For how many durations of a rule an intervention without effect is remembered. */
const remembered = 4;
/** Iterations in a row in which minibatches may be masked, and the rest that follows. */
const mostMasked = 2;
const maskingRest = 10;

/** How many of a rule's latest interventions had no effect; 0 once they are long ago. */
export function withoutEffect({ failures = {} }: ControlState, at: { rule: Rule; iteration: number }): number {
  const last = failures[at.rule.id];
  return last !== undefined && at.iteration < last.until ? last.count : 0;
}

/** The state after an intervention of this rule ended without effect, or `tried` of them. */
export function failed(
  state: ControlState,
  { rule, iteration, tried }: { rule: Rule; iteration: number; tried?: number },
): ControlState {
  const count = tried ?? withoutEffect(state, { rule, iteration }) + 1;
  const until = iteration + remembered * rule.duration;
  return { ...state, failures: { ...state.failures, [rule.id]: { count, until } } };
}

/** The state without what is remembered of a rule's interventions: one had an effect, or an operator has taken over. */
export function forgotten(state: ControlState, rule: string): ControlState {
  if (state.failures?.[rule] === undefined) return state;
  const { [rule]: _, ...failures } = state.failures;
  return { ...state, failures };
}

/** The factor after `tried` interventions without effect: the rule's own once more on top for each. */
export function stronger(factor: number, { own, tried }: { own: number; tried: number }): number {
  const wanted = own ** (tried + 1);
  return own < 1 ? Math.min(factor, wanted) : Math.max(factor, wanted);
}

/**
 * Whether a rule may mask a minibatch in this iteration: not for a third iteration in a row, and then not for ten iterations. A policy whose gradient is
 * dropped again and again learns nothing.
 */
export function mayMask(
  state: ControlState,
  { rule, iteration }: { rule: Rule; iteration: number },
): { readonly allowed: boolean; readonly state: ControlState; readonly why: string } {
  const last = state.masked ?? { iteration: -1, inARow: 0 };
  const inARow = last.iteration === iteration ? last.inARow : last.iteration === iteration - 1 ? last.inARow + 1 : 1;
  if (inARow <= mostMasked) return { allowed: true, state: { ...state, masked: { iteration, inARow } }, why: "" };
  const silentUntil = { ...state.silentUntil, [rule.id]: iteration + maskingRest };
  const why = `not masked: ${mostMasked} iterations in a row were, and masking rests for ${maskingRest}`;
  return { allowed: false, state: { ...state, silentUntil }, why };
}
