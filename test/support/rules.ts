/** Rules and recorded histories in few words, for tests of the controller. */

import type { ActOptions } from "../../src/control/act.ts";
import { type Consulted, consult } from "../../src/control/consult.ts";
import { parseRules } from "../../src/control/rules/load-rules.ts";
import type { Rule } from "../../src/control/rules/rule.ts";
import { type ControlState, firstControlState } from "../../src/control/state.ts";
import type { MetricValues } from "../../src/types/records.ts";

/** One rule from its YAML in flow style, without its id and source: `tier: 2, when: {...}`. */
export function rule(text: string, id = "tried"): Rule {
  return parseRules(`rules: [{id: ${id}, source: a test, ${text}}]`, "rules.yaml")[0]!;
}

export const acting: ActOptions = {
  profile: "adaptive",
  interventions: "on",
  base: {
    learningRate: 1e-3,
    clip: 0.2,
    valueUpdates: 1,
    klCoef: 0.05,
    embeddingsRate: 1,
    slowCritic: 0.995,
    clipWide: 0.3,
  },
  bounds: {
    learningRate: { min: 0, max: Number.POSITIVE_INFINITY },
    clip: { min: 0.05, max: 1 },
    valueUpdates: { min: 1, max: 8 },
    klCoef: { min: 0.001, max: 1 },
    embeddingsRate: { min: 0.1, max: 1 },
    slowCritic: { min: 0.5, max: 0.9999 },
    clipWide: { min: 0.05, max: 1 },
  },
};

export interface Played extends Consulted {
  readonly iteration: number;
}

/** Consults after the update of each iteration; `signals[i]` are the measurements of iteration i. */
export function play(
  rules: readonly Rule[],
  signals: readonly MetricValues[],
  options: Partial<ActOptions> & { state?: ControlState; first?: number } = {},
): Played[] {
  const { state: start = firstControlState, first = 0, ...act } = options;
  let state = start;
  return signals.map((values, i) => {
    const iteration = first + i;
    const consultation = { iteration, point: "updated" as const, step: null, signals: values };
    const consulted = consult({ ...acting, ...act, rules, state, consultation });
    state = consulted.state;
    return { ...consulted, iteration };
  });
}

/** Iterations in which a rule fired. */
export function alertsOf(played: readonly Played[], id = "tried"): number[] {
  return played.flatMap(({ alerts, iteration }) => alerts.filter((one) => one.rule === id).map(() => iteration));
}
