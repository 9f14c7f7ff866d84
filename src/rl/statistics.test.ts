import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { correlation, mean, quantile, slope, standardDeviation, variance } from "./statistics.ts";

const number = fc.double({ min: -100, max: 100, noNaN: true });
const numbers = fc.array(number, { minLength: 2, maxLength: 20 });

describe("statistics", () => {
  it("mean and variance equal sums over pairs", () => {
    fc.assert(
      fc.property(numbers, (x) => {
        let total = 0;
        let pairs = 0;
        for (const a of x) {
          total += a;
          for (const b of x) pairs += (a - b) ** 2 / 2;
        }
        expect(mean(x)).toBeCloseTo(total / x.length, 9);
        expect(variance(x)).toBeCloseTo(pairs / x.length ** 2, 6);
        expect(variance(x, { unbiased: true })).toBeCloseTo(pairs / (x.length * (x.length - 1)), 6);
        expect(standardDeviation(x) ** 2).toBeCloseTo(variance(x), 6);
      }),
    );
    // The mean of 32 times 0.3 is not 0.3.
    const equal = new Array<number>(32).fill(0.3);
    expect(mean(equal)).not.toBe(0.3);
    expect([variance(equal), standardDeviation(equal)]).toEqual([0, 0]);
    expect(
      correlation(
        equal,
        equal.map((_, i) => i),
      ),
    ).toBeNaN();
    expect([mean([]), variance([]), variance([1], { unbiased: true })]).toEqual([NaN, NaN, NaN]);
  });

  it("quantiles interpolate as NumPy's do", () => {
    // numpy.quantile([3, 1, 2, 10], [0.05, 0.5, 0.95]) == [1.15, 2.5, 8.95]
    const q = (share: number) => quantile([3, 1, 2, 10], share);
    expect([q(0.05), q(0.5), q(0.95), q(0), q(1)]).toEqual([1.15, 2.5, 8.95, 1, 10].map((x) => expect.closeTo(x, 12)));
    expect(quantile([-Infinity, 1, 2], 0)).toBe(-Infinity);
    expect(quantile([], 0.5)).toBeNaN();
    expect(quantile([1, NaN], 0.5)).toBeNaN();
  });

  it("quantiles have the right share below them, and leave the list as it was", () => {
    fc.assert(
      fc.property(numbers, fc.double({ min: 0, max: 1, noNaN: true }), (x, q) => {
        const copy = [...x];
        const at = quantile(x, q);
        expect(x).toEqual(copy);
        expect(x.filter((value) => value < at).length).toBeLessThanOrEqual(q * (x.length - 1) + 1);
        expect(x.filter((value) => value > at).length).toBeLessThanOrEqual((1 - q) * (x.length - 1) + 1);
      }),
    );
  });

  it("a slope is the one that makes the squared errors least", () => {
    fc.assert(
      fc.property(numbers, (x) => {
        const error = (m: number) => {
          const residuals = x.map((value, i) => value - m * i);
          return residuals.reduce((a, r) => a + (r - mean(residuals)) ** 2, 0);
        };
        const best = slope(x);
        expect(error(best)).toBeLessThanOrEqual(error(best + 0.01) + 1e-6);
        expect(error(best)).toBeLessThanOrEqual(error(best - 0.01) + 1e-6);
      }),
    );
    expect(slope([1, 3, 5])).toBe(2);
    expect(slope([1])).toBeNaN();
  });

  it("a correlation is 1 on a rising line, -1 on a falling one, NaN on a flat one", () => {
    expect(correlation([1, 2, 3], [10, 20, 30])).toBeCloseTo(1, 12);
    expect(correlation([1, 2, 3], [3, 2, 1])).toBeCloseTo(-1, 12);
    expect(correlation([1, 2, 3], [5, 5, 5])).toBeNaN();
    // numpy.corrcoef([1, 2, 3, 4], [2, 1, 4, 3])[0, 1] == 0.6
    expect(correlation([1, 2, 3, 4], [2, 1, 4, 3])).toBeCloseTo(0.6, 12);
    expect(() => correlation([1], [])).toThrow("y has 0 entries where x has 1");
  });
});
