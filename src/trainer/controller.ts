/** The trainer's side of the stability controller: shows it the measurements, records its decisions, keeps its changes. */

import { type ActOptions, endedBefore, ends, hear } from "../control/act.ts";
import { firstLookedAt } from "../control/condition.ts";
import { type ConsultOptions, consult } from "../control/consult.ts";
import { type Decision, decisionsOf } from "../control/decisions.ts";
import { health, healthLengths, healthMetrics } from "../control/health/index.ts";
import { observed } from "../control/observed.ts";
import type { Orders } from "../control/orders.ts";
import type { Rule } from "../control/rules/rule.ts";
import { type ControlState, multipliers } from "../control/state.ts";
import {
  applied,
  boundedValues,
  boundsOf,
  type LeverName,
  type LeverValues,
  leverOfKey,
  leverSettings,
  levers,
} from "../levers/levers.ts";
import type { ControlConfig } from "../settings/config-schema.ts";
import { knownAfterScoring } from "../signals/known-signals.ts";
import type { OperatorWord } from "../types/alerts.ts";
import type { MetricValues } from "../types/records.ts";
import type { Recorder } from "../types/run-recorder.ts";

export interface ControlOptions {
  readonly rules: readonly Rule[];
  readonly settings: ControlConfig;
  readonly state: ControlState;
  /** The first iteration to come. */
  readonly iteration: number;
  readonly recorder: Recorder;
}

/** When an operator's word arrived. */
export interface ToldOptions {
  /** The first iteration for which the word applies. */
  readonly iteration: number;
  /** The levers' configured values in that iteration. */
  readonly base: LeverValues;
  /** The run was saved after it had processed this word, and is resumed here: only its record belongs to the attempt that was cut off. */
  readonly again?: boolean;
}

/** One run's controller. A checkpoint holds its `state`. */
export class Control {
  state: ControlState;
  readonly #rules: readonly Rule[];
  readonly #settings: ControlConfig;
  readonly #recorder: Recorder;
  /** The multipliers recorded in the settings' history. */
  #recorded: Readonly<Record<LeverName, number>>;
  /** The intervention that last moved each lever. */
  readonly #holders = new Map<LeverName, number>();
  /** The iteration of the last consultation, and the signals shown in it. */
  #shown: { readonly iteration: number; readonly keys: ReadonlySet<string> } = { iteration: -1, keys: new Set() };
  /** Seconds spent in the controller since the iteration was recorded: consultations, health, and copies of the models to go back to. */
  seconds = 0;

  constructor({ rules, settings, state, iteration, recorder }: ControlOptions) {
    this.state = state;
    this.#recorded = multipliers(state, iteration);
    this.#rules = rules;
    this.#settings = settings;
    this.#recorder = recorder;
  }

  /** The configured values with the interventions in force. */
  inForce(iteration: number, base: LeverValues): LeverValues {
    return applied(base, multipliers(this.state, iteration));
  }

  /** The factors of interventions on each lever, as metrics. */
  multipliers(iteration: number): MetricValues {
    const factors = Object.entries(multipliers(this.state, iteration));
    return Object.fromEntries(factors.map(([name, factor]) => [levers[name as LeverName].metric, factor]));
  }

  /** Consults the controller before the update, on the rollout's signals. */
  afterScoring(iteration: number, signals: MetricValues, base: LeverValues): Orders {
    const known = Object.fromEntries(Object.entries(signals).filter(([key]) => knownAfterScoring(key)));
    return this.#consult({ iteration, point: "scored", step: null, signals: known }, base);
  }

  /** Consults the controller before a step; these signals are only kept with the consultation. */
  beforeStep(iteration: number, step: number, signals: MetricValues, base: LeverValues): Orders {
    return this.#consult({ iteration, point: "step", step, signals }, base);
  }

  /** Consults the controller after the update, on all metrics of the iteration. */
  afterUpdate(iteration: number, signals: MetricValues, base: LeverValues): Orders {
    return this.#consult({ iteration, point: "updated", step: null, signals }, base);
  }

  /** Health of an iteration from all of its metrics, recorded with them. */
  health(iteration: number, signals: MetricValues): MetricValues {
    const started = performance.now();
    const watched = observed(this.state.watched, { iteration, signals, lengths: healthLengths });
    this.state = { ...this.state, watched };
    const metrics = healthMetrics(health({ signals, history: watched }));
    this.seconds += (performance.now() - started) / 1000;
    return metrics;
  }

  /** An operator set `key`: their word outranks interventions. */
  setByOperator(key: string, at: ToldOptions): void {
    const lever = leverOfKey(key);
    if (lever !== null) this.#hear({ kind: "set", lever }, at);
  }

  /** An operator undid an intervention, by its number. False, with no effect, if it is not in force. */
  undo(intervention: number, at: ToldOptions): boolean {
    const { iteration, again = false } = at;
    const known = [...this.state.active, ...(again ? endedBefore(this.state, iteration) : [])];
    const rule = known.find(({ id }) => id === intervention)?.rule;
    if (rule === undefined) return false;
    this.#hear({ kind: "undone", rule, intervention }, at);
    return true;
  }

  /** An operator decided to continue, from the iteration `next`, after the rule had stopped the run in `iteration`. */
  acknowledge(rule: string, { iteration, next }: { iteration: number; next: number }): void {
    const word = { kind: "acknowledged", rule, iteration } as const;
    this.#recorder.consultation({ stage: "ppo", iteration: next, point: "operator", word });
    this.state = hear(this.state, { word, iteration: next, rules: this.#rules }).state;
  }

  /** The first iteration that a rule of tier 1 or 2 looks at now: an incident may have begun there. */
  looksBackTo(): number {
    const { history } = this.state;
    const looked = this.#rules
      .filter(({ tier, conditions }) => tier < 3 && history[conditions[0].signal] !== undefined)
      .map((rule) => firstLookedAt(rule, history, history[rule.conditions[0].signal]!.iteration));
    return Math.min(...looked, this.#shown.iteration);
  }

  #consult(consultation: ConsultOptions["consultation"], at: LeverValues): Orders {
    const started = performance.now();
    const { profile, interventions } = this.#settings;
    const { iteration, point } = consultation;
    const base = boundedValues(at);
    this.#keep(consultation, base);
    const { state, orders, ...said } = consult({
      rules: this.#rules,
      state: this.state,
      consultation,
      profile,
      interventions,
      base,
      bounds: boundsOf(this.#settings),
    });
    this.#record(decisionsOf(iteration, said));
    this.state = state;
    // After scoring, interventions that begin at once; after the update, those that begin and end with the next iteration.
    this.#recordSettings(point === "updated" ? iteration + 1 : iteration, at);
    this.seconds += (performance.now() - started) / 1000;
    return orders;
  }

  /**
   * Keeps what the controller is shown, for `ballast replay`: each signal at the point where the iteration first shows it, which is where it counts.
   */
  #keep({ iteration, point, step, signals }: ConsultOptions["consultation"], base: ActOptions["base"]): void {
    if (point === "step") {
      this.#recorder.consultation({ stage: "ppo", iteration, point, step, signals });
      return;
    }
    const before = this.#shown.iteration === iteration ? this.#shown.keys : new Set<string>();
    const fresh = Object.entries(signals).filter(([key]) => !before.has(key) && !/^(time|machine)\//.test(key));
    this.#shown = { iteration, keys: new Set([...before, ...fresh.map(([key]) => key)]) };
    this.#recorder.consultation({ stage: "ppo", iteration, point, step, signals: Object.fromEntries(fresh), base });
  }

  /** Ends the interventions that an operator's word ends, and records both. */
  #hear(word: OperatorWord, { iteration, base, again = false }: ToldOptions): void {
    this.#recorder.consultation({ stage: "ppo", iteration, point: "operator", word });
    const ended = again ? endedBefore(this.state, iteration) : [];
    const back = ended.filter((one) => ends(word, one));
    const before = { ...this.state, active: [...this.state.active, ...back] };
    if (back.length > 0) this.#recorded = multipliers(before, iteration);
    for (const { setting, id } of before.active) this.#holders.set(setting, id);
    const { state, outcomes } = hear(before, { word, iteration, rules: this.#rules });
    // Processed again only once: a later word in this iteration must not end it a second time.
    const left = { iteration, interventions: ended.filter((one) => !ends(word, one)) };
    this.state = back.length > 0 ? { ...state, ended: left } : state;
    this.#recordSettings(iteration, base);
    this.#record(decisionsOf(iteration, { outcomes }));
  }

  /** Records what interventions change and restore: every hyperparameter has a history. */
  #recordSettings(iteration: number, base: LeverValues): void {
    const before = this.#recorded;
    const after = multipliers(this.state, iteration);
    this.#recorded = after;
    // An expiring intervention is no longer active, but restores the setting.
    for (const { setting, id } of this.state.active) this.#holders.set(setting, id);
    for (const { key, lever, name } of leverSettings()) {
      if (before[lever] === after[lever]) continue;
      const intervention = this.#holders.get(lever);
      this.#recorder.setting({
        stage: "ppo",
        iteration,
        key,
        before: base[name] * before[lever],
        value: base[name] * after[lever],
        cause: "intervention",
        ...(intervention !== undefined && { intervention }),
      });
    }
  }

  #record(decisions: readonly Decision[]): void {
    for (const { kind, iteration, message, data } of decisions)
      this.#recorder.event({ kind, stage: "ppo", iteration, message, data: { ...data } });
  }
}
