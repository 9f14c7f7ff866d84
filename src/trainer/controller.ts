/** The trainer's side of the stability controller: shows it what was measured, records what it says, keeps what it changes. */
import type { ControlConfig } from "../config/schema.ts";
import { type ConsultOptions, consult, type Orders } from "../control/consult.ts";
import { type Decision, decisionsOf } from "../control/decisions.ts";
import { health, healthLengths, healthMetrics } from "../control/health/index.ts";
import {
  type ActOptions,
  acknowledged,
  boundsOf,
  endedBefore,
  type Heard,
  setByPerson,
  undone,
} from "../control/interventions.ts";
import { told } from "../control/replay.ts";
import type { Rule, SettingName } from "../control/rule.ts";
import { observed } from "../control/series.ts";
import { knownAfterScoring } from "../control/signals.ts";
import { type ActiveIntervention, type ControlState, multipliers } from "../control/state.ts";
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

/** When a person's word came. */
export interface ToldOptions {
  /** The first for which it holds. */
  readonly iteration: number;
  readonly base: Base;
  /** The run was saved after it had heard this, and is resumed here: only its record belongs to the attempt that was cut off. */
  readonly again?: boolean;
}

interface Word {
  readonly word: (state: ControlState) => Heard;
  /** What it ends. */
  readonly ends: (one: ActiveIntervention) => boolean;
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
  /** The intervention that moved each setting last. */
  readonly #holders = new Map<SettingName, number>();
  /** The iteration of the last consultation, and the signals that it has been shown in it. */
  #shown: { readonly iteration: number; readonly keys: ReadonlySet<string> } = { iteration: -1, keys: new Set() };
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

  /** What interventions multiply the settings by, as metrics. */
  multipliers(iteration: number): MetricValues {
    const { learningRate, clip, valueUpdates, klCoef } = multipliers(this.state, iteration);
    return {
      "settings/learning_rate_multiplier": learningRate,
      "settings/clip_multiplier": clip,
      "settings/value_updates_multiplier": valueUpdates,
      "settings/kl_coef_multiplier": klCoef,
    };
  }

  /** Before the update, on what the rollout shows. */
  afterScoring(iteration: number, signals: MetricValues, base: Base): Orders {
    const known = Object.fromEntries(Object.entries(signals).filter(([key]) => knownAfterScoring(key)));
    return this.#consult({ iteration, point: "scored", step: null, signals: known }, base);
  }

  /** Before a step; these signals are kept with the consultation alone. */
  beforeStep(iteration: number, step: number, signals: MetricValues, base: Base): Orders {
    return this.#consult({ iteration, point: "step", step, signals }, base);
  }

  /** After the update, on all metrics of the iteration. */
  afterUpdate(iteration: number, signals: MetricValues, base: Base): Orders {
    return this.#consult({ iteration, point: "updated", step: null, signals }, base);
  }

  /** Health of an iteration, on all of its metrics: what is recorded beside them. */
  health(iteration: number, signals: MetricValues): MetricValues {
    const watched = observed(this.state.watched, { iteration, signals, lengths: healthLengths });
    this.state = { ...this.state, watched };
    return healthMetrics(health({ signals, history: watched }));
  }

  /** A person set `key`: their word outranks interventions. */
  setByPerson(key: string, at: ToldOptions): void {
    for (const [name, keys] of Object.entries(keysOf)) {
      if (!keys.includes(key)) continue;
      const setting = name as SettingName;
      const options = { setting, iteration: at.iteration, rules: this.#rules };
      this.#tell(at.iteration, { [told.set(setting)]: 1 });
      this.#hear({ ...at, ends: (one) => one.setting === setting, word: (state) => setByPerson(state, options) });
    }
  }

  /** A person took an intervention back, by its number. False, and nothing changes, where it is not in force. */
  undo(intervention: number, at: ToldOptions): boolean {
    const { iteration, again = false } = at;
    const known = [...this.state.active, ...(again ? endedBefore(this.state, iteration) : [])];
    const rule = known.find(({ id }) => id === intervention)?.rule;
    if (rule === undefined) return false;
    const options = { rule, iteration, rules: this.#rules };
    this.#tell(iteration, { [told.undone(rule)]: intervention });
    this.#hear({ ...at, ends: (one) => one.rule === rule, word: (state) => undone(state, options) });
    return true;
  }

  /** A person decided to go on, from the iteration `next`, after the rule had stopped the run in `iteration`. */
  acknowledge(rule: string, { iteration, next }: { iteration: number; next: number }): void {
    this.#tell(next, { [told.acknowledged(rule)]: iteration });
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

  #consult(consultation: ConsultOptions["consultation"], at: Base): Orders {
    const started = performance.now();
    const { profile, interventions, klCoef } = this.#settings;
    const { iteration, point } = consultation;
    const base = { learningRate: at.policyRate, clip: at.clipHigh, valueUpdates: 1, klCoef: at.klCoef };
    this.#keep(consultation, base);
    const { state, orders, ...said } = consult({
      rules: this.#rules,
      state: this.state,
      consultation,
      profile,
      interventions,
      base,
      bounds: boundsOf(klCoef),
    });
    this.#record(decisionsOf(iteration, said));
    this.state = state;
    // After scoring, what begins at once; after the update, what begins and ends with the next iteration.
    this.#recordSettings(point === "updated" ? iteration + 1 : iteration, at);
    this.seconds += (performance.now() - started) / 1000;
    return orders;
  }

  /** What it is shown, for `ballast replay`: each signal where the iteration first shows it, which is where it counts. */
  #keep({ iteration, point, step, signals }: ConsultOptions["consultation"], base: ActOptions["base"]): void {
    if (point === "step") {
      this.#recorder.consultation({ stage: "ppo", iteration, point, step, signals });
      return;
    }
    const before = this.#shown.iteration === iteration ? this.#shown.keys : new Set<string>();
    const fresh = Object.entries(signals).filter(([key]) => !before.has(key) && !/^(time|machine)\//.test(key));
    this.#shown = { iteration, keys: new Set([...before, ...fresh.map(([key]) => key)]) };
    const said = Object.entries(base).map(([name, value]) => [told.base(name as SettingName), value] as const);
    const kept = Object.fromEntries([...fresh, ...said]);
    this.#recorder.consultation({ stage: "ppo", iteration, point, step, signals: kept });
  }

  /** Ends what a person's word ends, and records it. */
  #hear({ iteration, base, again = false, ends, word }: ToldOptions & Word): void {
    const ended = again ? endedBefore(this.state, iteration) : [];
    const back = ended.filter(ends);
    const before = { ...this.state, active: [...this.state.active, ...back] };
    if (back.length > 0) this.#recorded = multipliers(before, iteration);
    for (const { setting, id } of before.active) this.#holders.set(setting, id);
    const { state, outcomes } = word(before);
    // Heard again once: a later word of this iteration must not end it a second time.
    const left = { iteration, interventions: ended.filter((one) => !ends(one)) };
    this.state = back.length > 0 ? { ...state, ended: left } : state;
    this.#recordSettings(iteration, base);
    this.#record(decisionsOf(iteration, { outcomes }));
  }

  #tell(iteration: number, signals: MetricValues): void {
    this.#recorder.consultation({ stage: "ppo", iteration, point: "person", step: null, signals });
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
      // One that expires is not active any more, and restores all the same.
      const intervention = this.state.active.find(({ setting }) => setting === name)?.id ?? this.#holders.get(name);
      if (intervention !== undefined) this.#holders.set(name, intervention);
      if (before[name] === after[name]) continue;
      for (const [key, value] of Object.entries(values[name])) {
        const record: SettingRecord = {
          stage: "ppo",
          iteration,
          key,
          before: value * before[name],
          value: value * after[name],
          cause: "intervention",
          ...(intervention !== undefined && { intervention }),
        };
        this.#recorder.setting(record);
      }
    }
  }

  #record(decisions: readonly Decision[]): void {
    for (const { kind, iteration, message, data } of decisions)
      this.#recorder.event({ kind, stage: "ppo", iteration, message, data: { ...data } });
  }
}
