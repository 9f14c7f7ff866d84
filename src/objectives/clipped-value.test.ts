import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { randomRows, validCells } from "../../test/support/rows.ts";
import { explainedVariance } from "../rl/index.ts";
import { valueTerms } from "./clipped-value.ts";

describe("the clipped value loss", () => {
  it("equals the obvious loop, and its gradient finite differences", () => {
    for (let seed = 0; seed < 40; seed++) {
      const { mask, grids } = randomRows(seed, { poison: true });
      const [values, oldValues, returns] = grids as [number[][], number[][], number[][]];
      const loss = (by: number) =>
        valueTerms({ values: values.map((row) => row.map((v) => v + by)), oldValues, returns, mask, valueClip: 0.5 });
      const terms = loss(0);
      for (const [b, t] of validCells(mask)) {
        const v = values[b]![t]!;
        const old = oldValues[b]![t]!;
        const near = [old - 0.5, v, old + 0.5].sort((a, b) => a - b)[1]!;
        const [free, held] = [(v - returns[b]![t]!) ** 2, (near - returns[b]![t]!) ** 2];
        expect(terms.loss[b]![t]).toBeCloseTo(Math.max(free, held) / 2, 12);
        expect(terms.clipped[b]![t]).toBe(held > free);
        expect(terms.gradient[b]![t]).toBeCloseTo((loss(1e-6).loss[b]![t]! - loss(-1e-6).loss[b]![t]!) / 2e-6, 5);
      }
    }
  });

  it("without a clip is half the square, and 0 if masked", () => {
    const terms = valueTerms({
      values: [[3, NaN]],
      oldValues: [[0, 0]],
      returns: [[1, 0]],
      mask: [[1, 0]],
      valueClip: null,
    });
    expect(terms).toEqual({ loss: [[2, 0]], clipped: [[false, false]], gradient: [[2, 0]] });
  });
});

describe("explained variance", () => {
  it("equals the obvious sums, and with the bias is never the larger", () => {
    const numbers = fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(numbers, numbers, (returns, values) => {
        const mean = returns.reduce((a, b) => a + b, 0) / 8;
        const spread = returns.reduce((a, b) => a + (b - mean) ** 2, 0) / 8;
        fc.pre(spread > 0.1);
        const bias = returns.reduce((a, b, i) => a + b - values[i]!, 0) / 8;
        const errors = returns.reduce((a, b, i) => a + (b - values[i]!) ** 2, 0) / 8;
        const result = explainedVariance(returns, values);
        expect(result.withBias).toBeCloseTo(1 - errors / spread, 8);
        expect(result.explainedVariance).toBeCloseTo(1 - (errors - bias ** 2) / spread, 8);
        expect(result.withBias).toBeLessThanOrEqual(result.explainedVariance + 1e-12);
      }),
    );
  });

  it("is NaN if returns do not vary", () => {
    expect(explainedVariance([2, 2], [1, 3])).toEqual({ explainedVariance: NaN, withBias: NaN });
  });
});
