/**
 * Feeds rules what a run's controller was shown, in the same order, and reports their decisions. This is not a simulation: nobody knows what the run
 * would have measured under different rules.
 */
import { boundsOf, byLever, type ConfiguredBounds } from "../levers/levers.ts";
import type { Shown, Told } from "../types/alerts.ts";
import { type ActOptions, hear } from "./act.ts";
import { consult } from "./consult.ts";
import { type Decision, decisionsOf } from "./decisions.ts";
import type { Rule } from "./rules/rule.ts";
import { firstControlState } from "./state.ts";

export interface ReplayOptions extends Pick<ActOptions, "profile" | "interventions">, ConfiguredBounds {
  readonly rules: readonly Rule[];
  /** The consultations of a run's current iterations, in order. */
  readonly consultations: readonly (Omit<Shown, "stage"> | Omit<Told, "stage">)[];
}

/** The decisions of the rules; a run's own rules decide what the run recorded. */
export function replay(options: ReplayOptions): Decision[] {
  return [...replaySteps(options)].flat();
}

/** The decisions of `replay`, one consultation at a time. */
export function* replaySteps({
  rules,
  consultations,
  profile,
  interventions,
  ...configured
}: ReplayOptions): Generator<readonly Decision[]> {
  const bounds = boundsOf(configured);
  let state = firstControlState;
  // A lever that the run did not know has no value, and is not moved.
  let base: ActOptions["base"] = byLever(() => 0);
  for (const consultation of consultations) {
    const { iteration } = consultation;
    if (consultation.point === "operator") {
      const heard = hear(state, { word: consultation.word, iteration, rules });
      state = heard.state;
      yield decisionsOf(iteration, heard);
      continue;
    }
    base = { ...base, ...consultation.base };
    const { state: next, ...said } = consult({
      rules,
      state,
      consultation,
      profile,
      interventions,
      base,
      bounds,
    });
    state = next;
    yield decisionsOf(iteration, said);
  }
}
