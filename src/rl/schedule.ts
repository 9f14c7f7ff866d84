/** Learning-rate schedules: a linear warm-up, then constant, linear or cosine to 0, or down by steps. */

export type Schedule = "constant" | "linear" | "cosine" | "step";

export interface ScheduleOptions {
  readonly base: number;
  readonly schedule: Schedule;
  /** Share of the steps during which the rate rises. */
  readonly warmup: number;
  /** The step, counted from 0. */
  readonly step: number;
  readonly steps: number;
  /** Used by `step`: the rate is multiplied by `stepFactor` after every `stepEvery` steps. */
  readonly stepFactor?: number;
  readonly stepEvery?: number;
}

/**
 * The learning rate of one step. The warm-up takes w = ceil(warmup * steps) steps: step s has (s + 1) / (w + 1) of the base rate, so that
 * no step has rate 0. Of the n steps after it, the first has the whole base rate, and step i has 1 - i/n of it (`linear`) or (1 + cos(pi i
 * / n)) / 2 (`cosine`), which would reach 0 just after the last step. With `step` it has stepFactor^floor(i / stepEvery).
 */
export function learningRateAt(options: ScheduleOptions): number {
  const { base, schedule, warmup, step, steps, stepFactor = 0.9, stepEvery = 500 } = options;
  const warmupSteps = Math.ceil(warmup * steps);
  if (step < warmupSteps) return (base * (step + 1)) / (warmupSteps + 1);
  if (schedule === "constant") return base;
  if (schedule === "step") return base * stepFactor ** Math.floor((step - warmupSteps) / stepEvery);
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps));
  return schedule === "linear" ? base * (1 - progress) : (base * (1 + Math.cos(Math.PI * progress))) / 2;
}
