/** Which of a stage's metrics are shown during training, and under what name. */
import type { MetricValues } from "../types/records.ts";
import { number, percent } from "./number-format.ts";

type Shown = readonly [key: string, label: string, format: (value: number) => string];

const fixed = (decimals: number) => (value: number) => number(value, decimals);

/** In order of rank: the last are the first to go if there is no room. */
const PROGRESS: readonly Shown[] = [
  ["reward/score_mean", "reward", fixed(3)],
  ["kl/ref_k3_token", "KL", fixed(4)],
  ["sft/loss", "loss", fixed(3)],
  ["sft/heldout_loss", "held-out loss", fixed(3)],
  ["reward_model/loss", "loss", fixed(3)],
  ["reward_model/heldout_accuracy", "held-out accuracy", percent],
];

export function shownValues(values: MetricValues): (readonly [label: string, text: string])[] {
  return PROGRESS.flatMap(([key, label, format]) => {
    const value = values[key];
    return value === undefined ? [] : [[label, format(value)] as const];
  });
}
