import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { randomRows, validCells } from "../../test/support/rows.ts";
import { k1, k2, k3, klDerivative, klPerSequence, klPerToken, klRows, klSummary } from "./kl.ts";

const difference = fc.double({ min: -4, max: 4, noNaN: true });
const estimators = { k1, k2, k3 };

describe("KL", () => {
  it("rows, means and sums equal the obvious loops, whatever lies under the mask", () => {
    for (let seed = 0; seed < 30; seed++) {
      const { mask, grids } = randomRows(seed, { poison: true });
      const [logprobs, refLogprobs] = grids as [number[][], number[][]];
      const kl = klRows(logprobs, refLogprobs, "k3", mask);
      let total = 0;
      let tokens = 0;
      const sequences = new Set<number>();
      for (const [b, t] of validCells(mask)) {
        const d = logprobs[b]![t]! - refLogprobs[b]![t]!;
        expect(kl[b]![t]).toBeCloseTo(Math.exp(-d) - 1 + d, 10);
        total += Math.exp(-d) - 1 + d;
        tokens++;
        sequences.add(b);
      }
      expect(klPerToken(kl, mask)).toBeCloseTo(total / tokens, 10);
      expect(klPerSequence(kl, mask)).toBeCloseTo(total / sequences.size, 10);
      // In one pass, to the bit.
      expect(klSummary(logprobs, refLogprobs, "k3", mask)).toEqual({
        perToken: klPerToken(kl, mask),
        perSequence: klPerSequence(kl, mask),
        sums_B: kl.map((row) => row.reduce((a, b) => a + b, 0)),
      });
    }
  });

  it("by k3 is never negative, and keeps its digits near 0", () => {
    fc.assert(fc.property(difference, (d) => k3(d) >= 0));
    expect(k3(1e-7)).toBeCloseTo(5e-15, 20);
  });

  it("by k1 and k3 is unbiased: their expectation is the KL", () => {
    const p = [0.5, 0.3, 0.2];
    const q = [0.2, 0.2, 0.6];
    const expected = (f: (d: number) => number) => p.reduce((sum, x, i) => sum + x * f(Math.log(x / q[i]!)), 0);
    const kl = p.reduce((sum, x, i) => sum + x * Math.log(x / q[i]!), 0);
    expect(expected(k1)).toBeCloseTo(kl, 12);
    expect(expected(k3)).toBeCloseTo(kl, 12);
    expect(Math.abs(expected(k2) - kl)).toBeGreaterThan(0.004);
  });

  it("has the derivative that finite differences give", () => {
    fc.assert(
      fc.property(difference, fc.constantFrom("k1" as const, "k2" as const, "k3" as const), (d, estimator) => {
        const f = estimators[estimator];
        const slow = (f(d + 1e-5) - f(d - 1e-5)) / 2e-5;
        expect(klDerivative(d, estimator)).toBeCloseTo(slow, 5);
      }),
    );
  });

  it("is not clamped, and is NaN over nothing", () => {
    expect(klRows([[-1]], [[-1000]], "k1")).toEqual([[999]]);
    expect(klPerToken([[5]], [[0]])).toBeNaN();
    expect(klPerSequence([[]])).toBeNaN();
  });
});
