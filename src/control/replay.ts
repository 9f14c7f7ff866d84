/**
 * Shows rules what a run's controller was shown, in the same order, and says what they decide. Decisions, not a simulation:
 * what the run would have measured had it obeyed other rules nobody knows.
 */
import type { Consultation, ConsultationPoint } from "../types/control.ts";
import type { MetricValues } from "../types/records.ts";
import { consult } from "./consult.ts";
import { type Decision, decisionsOf } from "./decisions.ts";
import { type ActOptions, acknowledged, boundsOf, type Heard, setByPerson, undone } from "./interventions.ts";
import type { Rule, SettingName } from "./rule.ts";
import { type ControlState, firstControlState } from "./state.ts";

export interface ReplayOptions extends Pick<ActOptions, "profile" | "interventions"> {
  readonly rules: readonly Rule[];
  /** A run's, those of its current iterations alone, in order. */
  readonly consultations: readonly Omit<Consultation, "stage">[];
  /** Bounds of the KL coefficient. */
  readonly klCoef: { readonly min: number; readonly max: number };
}

/** What the rules decide on it; a run's own rules decide what the run recorded. */
export function replay(options: ReplayOptions): Decision[] {
  return [...replaySteps(options)].flat();
}

/** The same, one consultation after another. */
export function* replaySteps({
  rules,
  consultations,
  profile,
  interventions,
  klCoef,
}: ReplayOptions): Generator<readonly Decision[]> {
  const bounds = boundsOf(klCoef);
  let state = firstControlState;
  let base: ActOptions["base"] = { learningRate: 0, clip: 0, valueUpdates: 1, klCoef: 0 };
  for (const { iteration, point, step, signals } of consultations) {
    if (point === "person") {
      const heard = ofPerson(state, { iteration, signals, rules });
      state = heard.state;
      yield decisionsOf(iteration, heard);
      continue;
    }
    base = { ...base, ...baseIn(signals) };
    const consultation = { iteration, point: point as ConsultationPoint, step, signals };
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

/**
 * The keys under which a consultation holds more than signals: `base/learningRate`, `set/clip`, `undone/kl_soft`,
 * `acknowledged/kl_hard`.
 */
export const told = {
  base: (setting: SettingName) => `base/${setting}`,
  set: (setting: SettingName) => `set/${setting}`,
  undone: (rule: string) => `undone/${rule}`,
  acknowledged: (rule: string) => `acknowledged/${rule}`,
};

function baseIn(signals: MetricValues): Partial<ActOptions["base"]> {
  return Object.fromEntries(withPrefix(signals, told.base("" as SettingName)));
}

function ofPerson(
  state: ControlState,
  { iteration, signals, rules }: { iteration: number; signals: MetricValues; rules: readonly Rule[] },
): Heard {
  let after: Heard = { state, outcomes: [] };
  for (const [setting] of withPrefix(signals, told.set("" as SettingName)))
    after = setByPerson(after.state, { setting: setting as SettingName, iteration, rules });
  for (const [rule] of withPrefix(signals, told.undone(""))) after = undone(after.state, { rule, iteration, rules });
  for (const [rule, stoppedIn] of withPrefix(signals, told.acknowledged("")))
    after = { ...after, state: acknowledged(after.state, { rule, iteration: stoppedIn, rules }) };
  return after;
}

function withPrefix(signals: MetricValues, prefix: string): [string, number][] {
  return Object.entries(signals).flatMap(([key, value]) =>
    key.startsWith(prefix) ? [[key.slice(prefix.length), value] as [string, number]] : [],
  );
}
