/** The trainer's side of the stability controller: shows it what was measured, records what it says, keeps what it changes. */
import type { ControlConfig } from "../config/schema.ts";
import { type ConsultOptions, consult, type Orders } from "../control/consult.ts";
import { acknowledged, setByPerson } from "../control/interventions.ts";
import type { Rule, SettingName } from "../control/rule.ts";
import { knownAfterScoring } from "../control/signals.ts";
import { type ControlState, multipliers } from "../control/state.ts";
import type { Alert } from "../types/control.ts";
import type { MetricValues, Recorder, SettingRecord } from "../types/records.ts";

/** What config and schedule say of the settings that interventions move, in one iteration. */
export interface Base {
  readonly policyRate: number;
  readonly criticRate: number;
  readonly clipLow: number;
  readonly clipHigh: number;
  readonly klCoef: number;
}

/** The same with the interventions in force. */
export interface InForce extends Base {
  /** Passes of the critic over each minibatch. */
  readonly valueUpdates: number;
}

export interface ControlOptions {
  readonly rules: readonly Rule[];
  readonly settings: ControlConfig;
  readonly state: ControlState;
  /** The first iteration to come. */
  readonly iteration: number;
  readonly recorder: Recorder;
}

/** What a person may set, by the setting that interventions move. */
const keysOf: Readonly<Record<SettingName, readonly string[]>> = {
  learningRate: ["ppo.learningRate", "ppo.criticLearningRate"],
  clip: ["ppo.clipLow", "ppo.clipHigh"],
  valueUpdates: [],
  klCoef: ["ppo.kl.coef"],
};

/** One run's controller. `state` is what a checkpoint holds of it. */
export class Control {
  state: ControlState;
  readonly #rules: readonly Rule[];
  readonly #settings: ControlConfig;
  readonly #recorder: Recorder;
  /** The multipliers that the settings' history knows of. */
  #recorded: Readonly<Record<SettingName, number>>;
  /** Seconds spent in it. */
  seconds = 0;

  constructor({ rules, settings, state, iteration, recorder }: ControlOptions) {
    this.state = state;
    this.#recorded = multipliers(state, iteration);
    this.#rules = rules;
    this.#settings = settings;
    this.#recorder = recorder;
  }

  inForce(iteration: number, base: Base): InForce {
    const { learningRate, clip, valueUpdates, klCoef } = multipliers(this.state, iteration);
    return {
      policyRate: base.policyRate * learningRate,
      criticRate: base.criticRate * learningRate,
      clipLow: base.clipLow * clip,
      clipHigh: base.clipHigh * clip,
      klCoef: base.klCoef * klCoef,
      valueUpdates,
    };
  }

  /** Before the update, on what the rollout shows. */
  afterScoring(iteration: number, signals: MetricValues, base: Base): Orders {
    const known = Object.fromEntries(Object.entries(signals).filter(([key]) => knownAfterScoring(key)));
    return this.#consult({ iteration, point: "scored", step: null, signals: known }, base);
  }

  /** Before a step; these signals are kept with the consultation alone. */
  beforeStep(iteration: number, step: number, signals: MetricValues, base: Base): Orders {
    this.#recorder.consultation({ stage: "ppo", iteration, point: "step", step, signals });
    return this.#consult({ iteration, point: "step", step, signals }, base);
  }

  /** After the update, on all metrics of the iteration. */
  afterUpdate(iteration: number, signals: MetricValues, base: Base): Orders {
    return this.#consult({ iteration, point: "updated", step: null, signals }, base);
  }

  /** A person set `key`: their word outranks interventions. */
  setByPerson(key: string, iteration: number, base: Base): void {
    for (const [name, keys] of Object.entries(keysOf)) {
      if (!keys.includes(key)) continue;
      const options = { setting: name as SettingName, iteration, rules: this.#rules };
      const { state, outcomes } = setByPerson(this.state, options);
      this.state = state;
      this.#recordSettings(iteration, base);
      for (const outcome of outcomes) this.#event("outcome", iteration, outcome.message, { outcome });
    }
  }

  /** A person decided to go on after the rule had stopped the run. */
  acknowledge(rule: string, iteration: number): void {
    this.state = acknowledged(this.state, { rule, iteration, rules: this.#rules });
  }

  /** Whether the state after `iteration` is one to come back to: no rule of tier 1 or 2 held in it, nothing was in force. */
  healthyAfter(iteration: number): boolean {
    return this.state.troubled < iteration && this.state.active.length === 0;
  }

  /** Observations that the rule of an alert looks back over: a healthy checkpoint is older. */
  windowOf({ rule }: Alert): number {
    const found = this.#rules.find(({ id }) => id === rule);
    return found === undefined ? 1 : Math.max(found.window.of, found.conditions[0].over);
  }

  #consult(consultation: ConsultOptions["consultation"], base: Base): Orders {
    const started = performance.now();
    const { profile, interventions, klCoef } = this.#settings;
    const { state, alerts, ...said } = consult({
      rules: this.#rules,
      state: this.state,
      consultation,
      profile,
      interventions,
      base: { learningRate: base.policyRate, clip: base.clipHigh, valueUpdates: 1, klCoef: base.klCoef },
      bounds: {
        learningRate: { min: 0, max: Number.POSITIVE_INFINITY },
        // PPO.md and CONTROL.md, section 3: never below 0.05.
        clip: { min: 0.05, max: 1 },
        valueUpdates: { min: 1, max: 8 },
        klCoef,
      },
    });
    const { iteration, point } = consultation;
    for (const alert of alerts) this.#event("alert", iteration, alert.message, { alert });
    for (const outcome of said.outcomes) this.#event("outcome", iteration, outcome.message, { outcome });
    for (const intervention of said.interventions)
      this.#event("intervention", iteration, intervention.reason, { intervention });
    this.state = state;
    // After scoring, what begins at once; after the update, what begins and ends with the next iteration.
    this.#recordSettings(point === "updated" ? iteration + 1 : iteration, base);
    this.seconds += (performance.now() - started) / 1000;
    return said.orders;
  }

  /** Every hyperparameter has a history: what interventions change, and restore, too. */
  #recordSettings(iteration: number, base: Base): void {
    const before = this.#recorded;
    const after = multipliers(this.state, iteration);
    this.#recorded = after;
    const values: Readonly<Record<SettingName, Readonly<Record<string, number>>>> = {
      learningRate: { "ppo.learningRate": base.policyRate, "ppo.criticLearningRate": base.criticRate },
      clip: { "ppo.clipLow": base.clipLow, "ppo.clipHigh": base.clipHigh },
      valueUpdates: { "control.valueUpdates": 1 },
      klCoef: { "ppo.kl.coef": base.klCoef },
    };
    for (const name of Object.keys(values) as SettingName[]) {
      if (before[name] === after[name]) continue;
      for (const [key, value] of Object.entries(values[name])) {
        const record: SettingRecord = {
          stage: "ppo",
          iteration,
          key,
          before: value * before[name],
          value: value * after[name],
          cause: "intervention",
        };
        this.#recorder.setting(record);
      }
    }
  }

  #event(
    kind: "alert" | "intervention" | "outcome",
    iteration: number,
    message: string,
    data: Readonly<Record<string, unknown>>,
  ): void {
    this.#recorder.event({ kind, stage: "ppo", iteration, message, data });
  }
}
