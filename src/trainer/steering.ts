/** The settings of an iteration, from the configuration, schedules, controllers and operators; interventions multiply them. */

import { type Change, settingOf } from "../config/live-changes.ts";
import type { ParameterGroup } from "../engine/engine.ts";
import { type LeverValues, leverValues } from "../levers/levers.ts";
import * as rl from "../rl/index.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import type { MetricValues } from "../types/records.ts";
import { rateFactors } from "./layer-rates.ts";
import type { OnlineRun } from "./online-run.ts";
import { clipSettings, type OnlineState } from "./online-state.ts";

/** The parts of a run that determine the settings in force. */
type Steered = Pick<OnlineRun, "state" | "settingsAt">;

/** The settings of an iteration: as configured, as schedules and controllers have them, and with interventions. */
export interface InForce extends LeverValues {
  readonly settings: PpoConfig;
  /** The values without interventions. */
  readonly base: LeverValues;
}

/** The settings in force, computed once per phase: an intervention may begin between two phases. */
export function inForce(run: Steered & Pick<OnlineRun, "control">, iteration: number): InForce {
  const base = baseOf(run, iteration);
  const settings = run.settingsAt(iteration);
  const now = run.control.inForce(iteration, base);
  const wide = isWide(settings, iteration) ? now.clipWide / base.clipWide : 1;
  return { ...now, clipLow: now.clipLow * wide, clipHigh: now.clipHigh * wide, settings, base };
}

/**
 * The values that interventions multiply: rates by schedule, the clip by its phases, the KL coefficient by its controller, one pass of the critic
 * over each minibatch, the others as configured.
 */
export function baseOf({ state, settingsAt }: Steered, iteration: number): LeverValues {
  const settings = settingsAt(iteration);
  const { learningRate, criticLearningRate, iterations } = settings;
  const { schedule, warmup, stepFactor, stepEvery } = settings;
  const shape = { schedule, warmup, stepFactor, stepEvery, step: iteration, steps: iterations };
  return {
    ...leverValues(({ key }) => heldByState(state, key) ?? (settingOf("ppo", settings, key) as number)),
    policyRate: rl.learningRateAt({ base: learningRate, ...shape }),
    criticRate: rl.learningRateAt({ base: criticLearningRate ?? 2 * learningRate, ...shape }),
    valueUpdates: 1,
    embeddingsRate: settings.layerRates?.embeddings ?? 1,
    slowCriticDecay: settings.slowCritic?.decay ?? 0,
    clipWide: settings.clipSchedule === "phases" ? settings.clipWide : 0,
  };
}

/**
 * GAE's lambda: 1 while only the critic learns, and until the critic explained `lambdaFrom` of the returns' variance in the iteration before. With 1 an
 * advantage is what followed less the critic's value, which a critic that explains nothing cannot bias.
 */
export function lambdaInForce({ loop, settingsAt }: Pick<OnlineRun, "loop" | "settingsAt">, iteration: number): number {
  const { lambda, lambdaFrom, criticWarmup } = settingsAt(iteration);
  const explained = loop.values["value/explained_variance"] ?? Number.NaN;
  return iteration < criticWarmup || (lambdaFrom !== null && !(explained >= lambdaFrom)) ? 1 : lambda;
}

/** Whether the clip is in its first phase. */
function isWide({ clipSchedule, iterations }: PpoConfig, iteration: number): boolean {
  return clipSchedule === "phases" && iteration < iterations / 4;
}

/** Factors on the learning rates by layer; undefined if all layers have the same rate. */
export function layerFactors(
  { models }: Pick<OnlineRun, "models">,
  { settings, embeddingsRate: embeddings }: Pick<InForce, "settings" | "embeddingsRate">,
): {
  readonly policy: Record<ParameterGroup, number> | undefined;
  readonly critic: Record<ParameterGroup, number> | undefined;
} {
  const head = settings.layerRates?.head ?? 1;
  if (settings.layerRates === null && embeddings === 1) return { policy: undefined, critic: undefined };
  const layerRates = { embeddings, head };
  const { policy, critic } = models;
  return { policy: rateFactors(policy, layerRates), critic: critic ? rateFactors(critic.info, layerRates) : undefined };
}

/** Targets in force, the KL to the reference relative to its own, and the penalty's coefficient; those that are off are absent. */
export function steeringSignals({ state, settingsAt }: Steered, iteration: number, signals: MetricValues) {
  const { kl, penalty, policyLoss, iterations } = settingsAt(iteration);
  const target = rl.klTargetAt(kl, { iteration, iterations });
  const penaltyTarget = policyLoss === "penalty" ? rl.klTargetAt(penalty, { iteration, iterations }) : undefined;
  const values: MetricValues = {
    ...(target === undefined && { "kl/ref_untargeted_k1_token": signals["kl/ref_k1_token"]! }),
    ...(target !== undefined && {
      "settings/kl_target": target,
      "kl/ref_to_target": signals[`kl/ref_k1_${kl.targetUnit}`]! / target,
    }),
    ...(policyLoss === "penalty" && { "kl/penalty_beta": state.penaltyBeta }),
    ...(penaltyTarget !== undefined && { "settings/penalty_target": penaltyTarget }),
  };
  return values;
}

/** After an iteration, both KL coefficients follow their controllers (row 9), and the clip its phases. Each change is recorded. */
export function steer(run: Steered & Pick<OnlineRun, "loop">, iteration: number, signals: MetricValues): void {
  const { loop, state } = run;
  const { kl, penalty, policyLoss, sequences, iterations } = run.settingsAt(iteration);
  const follow = (
    key: string,
    section: rl.KlController & { target?: number | undefined },
    seen: number,
    coef: number,
  ) => {
    const target = rl.klTargetAt(section, { iteration, iterations });
    if (target === undefined) return coef;
    const value = rl.nextCoefficient(section, { coef, kl: seen, target, sequences, iterations });
    if (value !== coef) loop.setting({ iteration: iteration + 1, key, before: coef, value, cause: "controller" });
    return value;
  };
  state.klCoef = follow("ppo.kl.coef", kl, signals[`kl/ref_k1_${kl.targetUnit}`]!, state.klCoef);
  if (policyLoss === "penalty") {
    // Estimated on the samples, if the engine has no full KL.
    const seen = signals["kl/old_new_full_token"] ?? signals["kl/old_new_k3_token"]!;
    state.penaltyBeta = follow("ppo.penalty.beta", penalty, seen, state.penaltyBeta);
  }
  if (state.clip === null || iteration + 1 === iterations) return;
  const before = state.clip;
  state.clip = rl.clipRangeAt({
    ...clipSettings(loop.settings),
    iteration: iteration + 1,
    before,
    klToTarget: signals["kl/ref_to_target"],
    rewardSlope: signals["reward/score_slope"],
  });
  recordClip(run, iteration + 1, before);
}

/** Records the clip if its phases changed it. */
export function recordClip(
  { loop, state }: Pick<OnlineRun, "loop" | "state">,
  iteration: number,
  before: rl.ClipRange,
): void {
  const sides = { "ppo.clipLow": "low", "ppo.clipHigh": "high" } as const;
  for (const [key, side] of Object.entries(sides)) {
    const value = state.clip?.[side] ?? before[side];
    if (value !== before[side]) loop.setting({ iteration, key, before: before[side], value, cause: "schedule" });
  }
}

type Held = Pick<OnlineState, "klCoef" | "penaltyBeta" | "clip">;

/** Settings that controllers and phases move, so that the state holds their values: how each is read and replaced. */
const held: Readonly<
  Record<string, [(state: Held) => number | undefined, (state: Held, value: number) => Partial<Held>]>
> = {
  "ppo.kl.coef": [({ klCoef }) => klCoef, (_, klCoef) => ({ klCoef })],
  "ppo.penalty.beta": [({ penaltyBeta }) => penaltyBeta, (_, penaltyBeta) => ({ penaltyBeta })],
  // Until the phases next set it.
  "ppo.clipLow": [({ clip }) => clip?.low, ({ clip }, low) => ({ clip: clip && { ...clip, low } })],
  "ppo.clipHigh": [({ clip }) => clip?.high, ({ clip }, high) => ({ clip: clip && { ...clip, high } })],
};

/** The value in force of a setting that the state holds; undefined for other settings. */
export function heldByState(state: Held, key: string): number | undefined {
  return held[key]?.[0](state);
}

/** Stores a changed setting, if the state holds it. */
export function hold(state: Held, { key, value }: Change): void {
  Object.assign(state, held[key]?.[1](state, value as number));
}

/** An operator changed a setting before this iteration: interventions on it end. */
export function operatorSet(
  run: Steered & Pick<OnlineRun, "control">,
  change: Change,
  { iteration, again }: { readonly iteration: number; readonly again: boolean },
): void {
  hold(run.state, change);
  if (change.key === "ppo.clipWide" && isWide(run.settingsAt(iteration), iteration))
    run.state.clip = { low: change.value as number, high: change.value as number };
  run.control.setByOperator(change.key, { iteration, base: baseOf(run, iteration), again });
}
