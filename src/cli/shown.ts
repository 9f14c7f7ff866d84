/** Which of a stage's metrics stand on the progress line, and under what name. */
import { number, percent } from "./format.ts";
import type { ProgressReport } from "./progress.ts";

const SHOWN: readonly (readonly [key: string, label: string, format: (value: number) => string])[] = [
  ["reward/score_mean", "reward", (value) => number(value, 3)],
  ["kl/ref_k3_token", "KL", (value) => number(value, 4)],
  ["sft/loss", "loss", (value) => number(value, 3)],
  ["reward_model/loss", "loss", (value) => number(value, 3)],
  ["reward_model/accuracy", "accuracy", (value) => percent(value, 0)],
];

export function shownValues({ values }: ProgressReport): (readonly [label: string, text: string])[] {
  return SHOWN.flatMap(([key, label, format]) => {
    const value = values[key];
    return value === undefined ? [] : [[label, format(value)] as const];
  });
}
