import { expect, it } from "vitest";
import { holm, paired, tCdf, tQuantile } from "./paired.ts";

/** The integral of the density from 0, by Simpson's rule; the density is normalised by its own integral. */
function slowCdf(t: number, df: number): number {
  const density = (x: number) => (1 + (x * x) / df) ** (-(df + 1) / 2);
  const simpson = (from: number, to: number, f: (x: number) => number, n = 20_000) => {
    const h = (to - from) / n;
    let sum = f(from) + f(to);
    for (let i = 1; i < n; i++) sum += (i % 2 === 1 ? 4 : 2) * f(from + i * h);
    return (sum * h) / 3;
  };
  // x = u / (1 - u) turns the half line into [0, 1).
  const half = simpson(0, 1 - 1e-9, (u) => density(u / (1 - u)) / (1 - u) ** 2);
  return 0.5 + (0.5 * simpson(0, t, density)) / half;
}

it("Student's distribution is the slow integral's", () => {
  for (const df of [2, 7, 53]) for (const t of [0.1, 1, 2.4, 5]) expect(tCdf(t, df)).toBeCloseTo(slowCdf(t, df), 5);
  expect(tCdf(-2, 7)).toBeCloseTo(1 - tCdf(2, 7), 12);
  // The usual table.
  expect(tQuantile(0.975, 7)).toBeCloseTo(2.364624, 5);
  expect(tQuantile(0.975, 1)).toBeCloseTo(12.7062, 3);
});

it("a paired comparison is that of the differences", () => {
  const { n, mean, low, high, p } = paired([1, 2, 3, 4]);
  expect({ n, mean }).toEqual({ n: 4, mean: 2.5 });
  // s = 1.291, error 0.6455, t(0.975, 3) = 3.1824.
  expect(high - mean).toBeCloseTo(3.182446 * 0.6454972, 5);
  expect(mean - low).toBeCloseTo(high - mean, 12);
  expect(p).toBeCloseTo(2 * (1 - slowCdf(2.5 / 0.6454972, 3)), 5);
  expect(paired([0, 0])).toEqual({ n: 2, mean: 0, low: 0, high: 0, p: 1 });
  expect(paired([3])).toMatchObject({ n: 1, mean: 3, p: Number.NaN });
});

it("Holm's correction multiplies the smallest by the number of comparisons, and never falls", () => {
  const adjusted = [0.03, 0.06, 0.06, 1];
  for (const [i, p] of holm([0.01, 0.03, 0.04, Number.NaN, 0.9])
    .filter((one) => !Number.isNaN(one))
    .entries())
    expect(p).toBeCloseTo([0.04, 0.09, 0.09, 0.9][i]!, 12);
  expect(holm([0.01, 0.03, 0.04]).map((p) => Number(p.toFixed(6)))).toEqual(adjusted.slice(0, 3));
  expect(holm([0.9, 0.8])).toEqual([1, 1]);
});
