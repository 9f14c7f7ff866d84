/** 95% intervals for shares, means and paired differences by the normal approximation, which suits thirty clusters or more. */

import { mean, sum, variance } from "./statistics.ts";
import { checkSameLength } from "./token-rows.ts";

const z = 1.959963984540054;

/** The cluster that a value belongs to: answers to the same prompt are alike and count for less than answers to different prompts. */
export type Cluster = string | number;

export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Wilson's score interval for a share of successes among n (Wilson 1927); [NaN, NaN] if n is 0. */
export function wilson95(successes: number, n: number): [low: number, high: number] {
  return wilsonOfShare(successes / n, n);
}

function wilsonOfShare(p: number, n: number): [low: number, high: number] {
  const scale = 1 + (z * z) / n;
  const center = (p + (z * z) / (2 * n)) / scale;
  const half = (z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n))) / scale;
  // At p = 0 and p = 1 the formula gives 0 and 1 except for rounding.
  return [p === 0 ? 0 : center - half, p === 1 ? 1 : center + half];
}

/**
 * The share of verdicts that hold, with Wilson's interval at the effective sample size n / deff. deff is the design effect (Kish 1965), the
 * variance by clusters divided by that of independent verdicts: sum_g (sum of residuals in g)^2 / sum_i residual_i^2. It is kept between 1
 * and sum_g n_g^2 / n, the value for clusters that answer as one (the cluster size, if all are equal). If all verdicts are alike, deff
 * cannot be estimated and takes that upper bound. For Wilson's interval with an effective sample size see Dean and Pagano (2015), Journal
 * of Survey Statistics and Methodology 3(4). With distinct clusters the result equals `wilson95`. Throws if the lists differ in length.
 */
export function shareInterval95(verdicts: readonly (boolean | number)[], clusters: readonly Cluster[]): Interval {
  checkSameLength({ verdicts, clusters });
  const values = verdicts.map(Number);
  const n = values.length;
  const share = mean(values);
  const residuals = values.map((value) => value - share);
  const squares = sum(residuals.map((residual) => residual ** 2));
  const groups = [...totals(residuals, clusters).values()];
  const worst = sum(groups.map(({ size }) => size ** 2)) / n;
  const estimated = sum(groups.map(({ total }) => total ** 2)) / squares;
  const designEffect = squares === 0 ? worst : Math.min(worst, Math.max(1, estimated));
  const [low, high] = wilsonOfShare(share, n / designEffect);
  return { mean: share, low, high };
}

/**
 * mean +- 1.96 standard errors. For independent values the error is s / sqrt(n) with the unbiased s. If clusters repeat, it is the
 * cluster-robust error, G / (G - 1) * sum_g (sum of residuals in g)^2 / n^2 for G clusters (Liang and Zeger 1986; for evaluations that ask
 * the same question often, Miller 2024, arXiv 2411.00640, section 2.2). A single cluster gives [NaN, NaN]. Throws if the lists differ in
 * length.
 */
export function meanInterval95(values: readonly number[], clusters: readonly Cluster[] = []): Interval {
  const center = mean(values);
  const half = z * standardError(values, clusters);
  return { mean: center, low: center - half, high: center + half };
}

/** The standard error of the mean, cluster-robust if clusters repeat (see `meanInterval95`). */
export function standardError(values: readonly number[], clusters: readonly Cluster[] = []): number {
  if (clusters.length > 0) checkSameLength({ values, clusters });
  const n = values.length;
  const center = mean(values);
  const G = new Set(clusters).size;
  if (G === clusters.length || clusters.length === 0) return Math.sqrt(variance(values, { unbiased: true }) / n);
  // The residuals of a single cluster sum to 0 except for rounding, which must not be divided by 0.
  if (G === 1) return Number.NaN;
  const residuals = values.map((value) => value - center);
  const squares = sum([...totals(residuals, clusters).values()].map(({ total }) => total ** 2));
  return Math.sqrt(((G / (G - 1)) * squares) / n ** 2);
}

/**
 * Mean of after - before over the same n cases, with its interval (`meanInterval95`). For checks that pass or fail, this is the difference
 * of two shares, without noise from cases that did not change.
 */
export function pairedDifference95(
  before: readonly (boolean | number)[],
  after: readonly (boolean | number)[],
  clusters: readonly Cluster[] = [],
): { difference: number; low: number; high: number } {
  checkSameLength({ before, after });
  const changes = after.map((value, i) => Number(value) - Number(before[i]!));
  const { mean: difference, low, high } = meanInterval95(changes, clusters);
  return { difference, low, high };
}

/** The sum and the number of values in each cluster. */
function totals(
  values: readonly number[],
  clusters: readonly Cluster[],
): ReadonlyMap<Cluster, { readonly total: number; readonly size: number }> {
  const found = new Map<Cluster, { total: number; size: number }>();
  values.forEach((value, i) => {
    const { total, size } = found.get(clusters[i]!) ?? { total: 0, size: 0 };
    found.set(clusters[i]!, { total: total + value, size: size + 1 });
  });
  return found;
}
