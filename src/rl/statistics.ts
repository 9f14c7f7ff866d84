/** Small statistics on plain lists. An undefined statistic (of an empty list, for example) is NaN, never 0. */
import { tokenCenter, tokenVariance } from "./row-statistics.ts";
import { checkSameLength } from "./token-rows.ts";

export function sum(values: readonly number[]): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}

export function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

/** The variance: biased (divided by n) by default; with `unbiased` it is divided by n - 1 and is NaN for one value. */
export function variance(values: readonly number[], options: { readonly unbiased?: boolean } = {}): number {
  return tokenVariance([values], undefined, options);
}

/** The standard deviation: biased (divided by n) by default; with `unbiased` it is the root of the unbiased variance. */
export function standardDeviation(values: readonly number[], options: { readonly unbiased?: boolean } = {}): number {
  return Math.sqrt(variance(values, options));
}

/** The q-quantile, 0 <= q <= 1, interpolated linearly between order statistics (NumPy's default). NaN if any value is. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0 || values.some(Number.isNaN)) return NaN;
  const sorted = Float64Array.from(values).sort();
  const position = q * (sorted.length - 1);
  const low = sorted[Math.floor(position)]!;
  const high = sorted[Math.ceil(position)]!;
  const share = position - Math.floor(position);
  return share === 0 ? low : Math.min(high, low + (high - low) * share);
}

/** Least-squares slope of the values against 0, 1, 2, ..., that is, the change per iteration. NaN for fewer than two. */
export function slope(values: readonly number[]): number {
  const center = (values.length - 1) / 2;
  const level = mean(values);
  let covariance = 0;
  let spread = 0;
  values.forEach((value, i) => {
    covariance += (i - center) * (value - level);
    spread += (i - center) ** 2;
  });
  return covariance / spread;
}

/** Pearson's correlation; NaN if either list is constant. */
export function correlation(x: readonly number[], y: readonly number[]): number {
  checkSameLength({ x, y });
  const meanX = tokenCenter([x]);
  const meanY = tokenCenter([y]);
  let xy = 0;
  let xx = 0;
  let yy = 0;
  x.forEach((value, i) => {
    xy += (value - meanX) * (y[i]! - meanY);
    xx += (value - meanX) ** 2;
    yy += (y[i]! - meanY) ** 2;
  });
  return xy / Math.sqrt(xx * yy);
}
