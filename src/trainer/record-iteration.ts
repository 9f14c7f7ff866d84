/** The last phase of an iteration: its signals, settings, times and samples are recorded; then controllers and schedules follow them. */

import * as rl from "../rl/index.ts";
import { signalsOf } from "../settings/algorithm-table.ts";
import { nextHistory, updateSignals } from "../signals/index.ts";
import type { MetricValues } from "../types/records.ts";
import { signalSettings } from "./experience.ts";
import { chooseSamples, settingsInForce } from "./online-record.ts";
import type { Experience, OnlineRun } from "./online-run.ts";
import type { Outcome } from "./policy-update.ts";
import { inForce, lambdaInForce, steer } from "./steering.ts";

/** An iteration after its update. */
export interface Done {
  readonly experience: Experience;
  readonly outcome: Outcome;
  /** What was measured beside the update. */
  readonly measured: MetricValues;
}

/** Records an iteration and returns all of its metrics. */
export async function recordIteration(run: OnlineRun, iteration: number, done: Done): Promise<MetricValues> {
  const { context, models, loop, state, control, stopwatch } = run;
  const { experience, outcome, measured } = done;
  const { recorder, tokenizer, config } = context;
  const { rollout, klCoef } = experience;
  const { firstRatioDeviation } = outcome;
  const { settings, policyRate, criticRate, clipLow, clipHigh, valueUpdates } = inForce(run, iteration);

  const signals = signalsOf(settings.algorithm, {
    ...experience.signals,
    ...updateSignals({
      rollout: experience.record,
      minibatches: outcome.minibatches,
      endedBy: outcome.endedBy,
      after: outcome.after,
      firstRatioDeviation,
      ...signalSettings(run, klCoef),
    }),
  });
  state.history = nextHistory(state.history, signals);
  const sampledTokens = rl.sum(rollout.responses_B_T.map((tokens) => tokens.length));
  const ownCritic = models.critic !== null && !models.critic.shared;
  const values: MetricValues = {
    ...signals,
    ...control.health(iteration, { ...signals, ...measured }),
    ...measured,
    ...settingsInForce(
      { ...settings, clipLow, clipHigh, lambda: lambdaInForce(run, iteration) },
      { policyRate, criticRate: ownCritic ? criticRate : null, valueUpdates: models.critic && valueUpdates },
    ),
    ...signalsOf(settings.algorithm, control.multipliers(iteration)),
    ...(await stopwatch.values()),
    "time/sampled_tokens_per_s": sampledTokens / stopwatch.secondsOf("rollout"),
    "time/control_s": control.seconds,
  };
  control.seconds = 0;
  recorder.metrics("ppo", iteration, values);
  const { storedSamples: count } = settings;
  const { seed } = config;
  const samples = chooseSamples({ rollout, record: experience.record, tokenizer, count, seed, iteration });
  recorder.samples("ppo", iteration, samples);
  if (iteration === 0 && outcome.stop === null) {
    const klToReference = signals["kl/ref_k1_token"];
    const message = `startup checks passed: max |ratio - 1| = ${firstRatioDeviation}, KL to the reference = ${klToReference} nats per token, all values finite`;
    loop.event("invariant", 0, message, { firstRatioDeviation, klToReference });
  }

  steer(run, iteration, signals);
  return values;
}
