/** A run's history as the store has it: each metric's values by iteration, and statistics on them. */
import { mean, quantile, slope, standardDeviation } from "../../rl/statistics.ts";
import { scoreUnitOf } from "../health/score-unit.ts";

export interface Point {
  readonly iteration: number;
  /** The value; may be NaN or infinite. */
  readonly value: number;
}

/** Points by the keys of docs/metrics.md, in order of iteration; a signal that was not recorded has no entry. */
export type RunHistory = Readonly<Record<string, readonly Point[]>>;

/** Finite values of a metric from iteration `from` on, before `to`. */
export function valuesOf(
  history: RunHistory,
  key: string,
  { from = 0, to = Number.POSITIVE_INFINITY }: { readonly from?: number; readonly to?: number } = {},
): number[] {
  return (history[key] ?? [])
    .filter(({ iteration, value }) => iteration >= from && iteration < to && Number.isFinite(value))
    .map(({ value }) => value);
}

/** The first iteration that is not recorded yet. */
export function iterationsDone(history: RunHistory): number {
  return 1 + Math.max(-1, ...Object.values(history).map((points) => points.at(-1)?.iteration ?? -1));
}

/** Mean of the last n values; NaN if there are none. */
export function lastMean(values: readonly number[], n: number): number {
  return mean(values.slice(-n));
}

/** The unit of the run's scores, from those of its first iteration. */
export function scoreUnit(history: RunHistory): number {
  const first = (key: string) => valuesOf(history, key)[0] ?? Number.NaN;
  return scoreUnitOf({
    std: first("reward/score_std"),
    p5: first("reward/score_p5"),
    p95: first("reward/score_p95"),
  });
}

/** A line fitted through values against 0, 1, 2, ...: how much it rises over all of them, and how many standard errors that is. */
export function trend(values: readonly number[]): { readonly rise: number; readonly standardErrors: number } {
  const n = values.length;
  if (n < 3) return { rise: Number.NaN, standardErrors: Number.NaN };
  const rate = slope(values);
  const residuals = values.map((value, i) => value - rate * (i - (n - 1) / 2));
  const spread = standardDeviation(residuals) * Math.sqrt(n / (n - 2));
  const error = spread / Math.sqrt((n * (n * n - 1)) / 12);
  return {
    rise: rate * (n - 1),
    standardErrors: error > 0 ? rate / error : Math.sign(rate) * Number.POSITIVE_INFINITY,
  };
}

/** Typical change between neighbours without the trend: the median of absolute differences minus the slope. */
export function swing(values: readonly number[]): number {
  const rate = slope(values);
  return quantile(
    values.slice(1).map((value, i) => Math.abs(value - values[i]! - rate)),
    0.5,
  );
}

/** The largest change between neighbours, up or down; 0 for fewer than two values. */
export function largestJump(values: readonly number[]): number {
  return Math.max(0, ...values.slice(1).map((value, i) => Math.abs(value - values[i]!)));
}

/** Formats a number with three significant digits. */
export function short(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : String(value);
}

export function percent(share: number): string {
  return `${Number((100 * share).toFixed(0))}%`;
}
