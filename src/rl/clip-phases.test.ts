import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { clipRangeAt } from "./clip-phases.ts";

const options = { base: { low: 0.2, high: 0.28 }, wide: 0.3, iterations: 40, before: { low: 0.11, high: 0.12 } };

describe("the clip range", () => {
  it("is wide in the first quarter, whatever was seen", () => {
    for (const iteration of [0, 9])
      expect(clipRangeAt({ ...options, iteration, klToTarget: 9, rewardSlope: -1 })).toEqual({ low: 0.3, high: 0.3 });
  });

  it("then is the base, less if KL is over its target, and less if the reward does not rise", () => {
    const at = (klToTarget?: number, rewardSlope?: number) =>
      clipRangeAt({ ...options, iteration: 10, klToTarget, rewardSlope });
    expect(at()).toEqual(options.base);
    expect(at(0.5, 1)).toEqual(options.base);
    expect(at(2, 1)).toEqual({ low: 0.1, high: 0.14 });
    expect(at(0.5, 0)).toEqual({ low: 0.2 * 0.9, high: 0.28 * 0.9 });
    expect(at(2, -1).low).toBeCloseTo(0.09, 12);
    expect(at(1e9, -1)).toEqual({ low: 0.05, high: 0.05 });
    expect(at(NaN, NaN)).toEqual(options.base);
  });

  it("and stays if it was in the last quarter", () => {
    expect(clipRangeAt({ ...options, iteration: 29, klToTarget: 2 })).not.toEqual(options.before);
    expect(clipRangeAt({ ...options, iteration: 30, klToTarget: 2 })).toEqual(options.before);
  });

  it("is never wider than the wide or the base, nor narrower than 0.05 or a base below it", () => {
    const share = fc.double({ min: 0.01, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        share,
        fc.double(),
        fc.double(),
        fc.integer({ min: 0, max: 29 }),
        (low, klToTarget, slope, iteration) => {
          const range = clipRangeAt({
            ...options,
            base: { low, high: 0.2 },
            iteration,
            klToTarget,
            rewardSlope: slope,
          });
          expect(range.low).toBeLessThanOrEqual(Math.max(low, 0.3));
          expect(range.low).toBeGreaterThanOrEqual(Math.min(low, 0.05));
        },
      ),
    );
  });
});
