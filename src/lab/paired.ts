/** Paired comparisons of few seeds: Student's interval of the mean difference, its p value, and Holm's correction over a table. */
import { mean, standardDeviation } from "../rl/index.ts";

export interface Comparison {
  /** Number of pairs. */
  readonly n: number;
  /** Mean difference with its 95% interval (Student's t with n - 1 degrees of freedom); the interval is NaN with fewer than two pairs. */
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  /** Two-sided p value of no difference; NaN with fewer than two pairs, 1 if every difference is 0. */
  readonly p: number;
}

/** Compares pairs by their differences. */
export function paired(differences: readonly number[]): Comparison {
  const n = differences.length;
  const centre = mean(differences);
  if (n < 2) return { n, mean: centre, low: Number.NaN, high: Number.NaN, p: Number.NaN };
  const error = standardDeviation(differences, { unbiased: true }) / Math.sqrt(n);
  if (error === 0) return { n, mean: centre, low: centre, high: centre, p: centre === 0 ? 1 : 0 };
  const half = tQuantile(0.975, n - 1) * error;
  return {
    n,
    mean: centre,
    low: centre - half,
    high: centre + half,
    p: 2 * (1 - tCdf(Math.abs(centre) / error, n - 1)),
  };
}

/** Holm's adjusted p values (Holm 1979) of so many comparisons, by default those with a p value, in the same order; NaN entries stay. */
export function holm(ps: readonly number[], { of = ps.filter((p) => !Number.isNaN(p)).length } = {}): number[] {
  const order = ps.map((p, i) => ({ p, i })).filter(({ p }) => !Number.isNaN(p));
  order.sort((a, b) => a.p - b.p);
  const adjusted = [...ps];
  let largest = 0;
  for (const [rank, { p, i }] of order.entries()) {
    largest = Math.max(largest, Math.min(1, (of - rank) * p));
    adjusted[i] = largest;
  }
  return adjusted;
}

/** The distribution function of Student's t: 1 - I_x(df / 2, 1 / 2) / 2 at t >= 0, with x = df / (df + t^2). */
export function tCdf(t: number, df: number): number {
  const tail = incompleteBeta(df / (df + t * t), df / 2, 0.5) / 2;
  return t >= 0 ? 1 - tail : tail;
}

/** The inverse of `tCdf` above 1/2, by bisection. */
export function tQuantile(p: number, df: number): number {
  let [low, high] = [0, 1];
  while (tCdf(high, df) < p) high *= 2;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (tCdf(middle, df) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The regularised incomplete beta function I_x(a, b) by Lentz's continued fraction (Numerical Recipes, section 6.4). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x));
  return x < (a + 1) / (a + b + 2) ? (front * betaFraction(x, a, b)) / a : 1 - (front * betaFraction(1 - x, b, a)) / b;
}

function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const kept = (value: number) => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / kept(1 - ((a + b) * x) / (a + 1));
  let result = d;
  for (let m = 1; m <= 300; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    for (const term of [even, odd]) {
      d = 1 / kept(1 + term * d);
      c = kept(1 + term / c);
      result *= d * c;
    }
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return result;
}

/** ln of the gamma function by Lanczos (g = 7, 9 terms). */
function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const terms = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  const z = x - 1;
  const series = terms.reduce((sum, term, i) => (i === 0 ? term : sum + term / (z + i)), 0);
  const t = z + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (z + 0.5) * Math.log(t) - t + Math.log(series);
}
