/** 95% intervals for shares, means and paired differences, by the normal approximation: for thirty samples and more. */
import { checkSameLength } from "./rows.ts";
import { mean, variance } from "./statistics.ts";

const z = 1.959963984540054;

/** Wilson's score interval for a share of successes among n (Wilson 1927); [NaN, NaN] for none. */
export function wilson95(successes: number, n: number): [low: number, high: number] {
  const p = successes / n;
  const scale = 1 + (z * z) / n;
  const center = (p + (z * z) / (2 * n)) / scale;
  const half = (z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n))) / scale;
  // At the ends the formula gives 0 and 1 but for rounding.
  return [p === 0 ? 0 : center - half, p === 1 ? 1 : center + half];
}

/** mean +- 1.96 s / sqrt(n), with the unbiased s. */
export function meanInterval95(values: readonly number[]): { mean: number; low: number; high: number } {
  const center = mean(values);
  const half = z * Math.sqrt(variance(values, { unbiased: true }) / values.length);
  return { mean: center, low: center - half, high: center + half };
}

/**
 * Mean of after - before over the same n cases, with its interval. For checks that pass or fail, the difference of two
 * shares in which what does not change between the two adds no noise.
 */
export function pairedDifference95(
  before: readonly (boolean | number)[],
  after: readonly (boolean | number)[],
): { difference: number; low: number; high: number } {
  checkSameLength({ before, after });
  const interval = meanInterval95(after.map((value, i) => Number(value) - Number(before[i]!)));
  return { difference: interval.mean, low: interval.low, high: interval.high };
}
