/**
 * The metric record of one online iteration: plain arrays in, one number per key out. docs/metrics.md documents every key: unit, estimator,
 * source.
 */
import { response, reward, safety } from "./behaviour-signals.ts";
import { type IterationRecord, type RolloutView, type SignalHistory, slopeWindow } from "./iteration-record.ts";
import type { Signals } from "./signal-values.ts";
import { advantage, exploration, gradient, reference, rollout, sampler, update, value } from "./update-signals.ts";

/** Signals of a scored rollout and its advantages, known before anything reaches the weights. */
export function rolloutSignals(record: RolloutView): Signals {
  return {
    ...reward(record),
    ...reference(record),
    ...exploration(record),
    ...sampler(record),
    ...advantage(record),
    ...response(record),
    ...safety(record),
    ...rollout(record),
  };
}

/** The signals that the update adds to those of the rollout. */
export function updateSignals(record: IterationRecord): Signals {
  return { ...update(record), ...gradient(record), ...value(record) };
}

/** All signals of one iteration. */
export function iterationSignals(record: IterationRecord): Signals {
  return { ...rolloutSignals(record), ...updateSignals(record) };
}

/** The history that the next iteration's signals need, to be kept in the trainer's state. */
export function nextHistory(history: SignalHistory | undefined, signals: Signals): SignalHistory {
  const entropyMean = signals["entropy/mean"];
  return {
    firstEntropyMean: history?.firstEntropyMean ?? entropyMean,
    entropyMeans: [...(history?.entropyMeans ?? []), ...(entropyMean === undefined ? [] : [entropyMean])].slice(
      -(slopeWindow - 1),
    ),
    scoreMeans: [...(history?.scoreMeans ?? []), signals["reward/score_mean"]!].slice(-(slopeWindow - 1)),
  };
}
