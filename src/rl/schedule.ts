/** Learning-rate schedules: a linear warm-up, then constant, linear or cosine to 0, or down by steps. */

export type Schedule = "constant" | "linear" | "cosine" | "step";

export interface ScheduleOptions {
  readonly base: number;
  readonly schedule: Schedule;
  /** Share of the steps over which the rate rises. */
  readonly warmup: number;
  /** 0 is the first step. */
  readonly step: number;
  readonly steps: number;
  /** Of `step`: the rate is multiplied by the one after every so many steps. */
  readonly stepFactor?: number;
  readonly stepEvery?: number;
}

/**
 * The rate of one step. The warm-up takes w = ceil(warmup * steps) steps: step s has (s + 1) / (w + 1) of the base, so that
 * no step has rate 0. Of the n steps after it, the first has the whole base, and step i has 1 - i/n of it (`linear`) or
 * (1 + cos(pi i / n)) / 2 (`cosine`): the rate after the last would be 0. With `step` it has stepFactor^floor(i / stepEvery).
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
