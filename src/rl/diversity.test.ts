import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { distinctN, distinctShare, repeatAgreement, repeatedNgramShare } from "./diversity.ts";

const tokens = fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 8 });

describe("diversity", () => {
  it("of n-grams equals comparing every one with every earlier one", () => {
    fc.assert(
      fc.property(fc.array(tokens, { maxLength: 4 }), fc.constantFrom(1, 2, 3), (rows, n) => {
        const grams = rows.flatMap((row) => row.slice(n - 1).map((_, i) => row.slice(i, i + n)));
        const fresh = grams.filter((g, i) => !grams.slice(0, i).some((h) => h.every((token, j) => token === g[j])));
        expect(distinctN(rows, n)).toEqual(grams.length === 0 ? NaN : fresh.length / grams.length);
      }),
    );
  });

  it("within a sequence counts what repeats an earlier n-gram", () => {
    expect(repeatedNgramShare([1, 2, 1, 2, 1, 2], 4)).toBeCloseTo(1 / 3, 12);
    expect(repeatedNgramShare([5, 5, 5, 5, 5, 5], 4)).toBeCloseTo(2 / 3, 12);
    expect(repeatedNgramShare([1, 2, 3], 4)).toBe(0);
  });

  it("tells tokens apart, not digits", () => {
    expect(
      distinctN(
        [
          [1, 12],
          [11, 2],
        ],
        2,
      ),
    ).toBe(1);
    expect(distinctShare([[1, 2], [12], [1, 2], []])).toBe(0.75);
  });

  it("between responses to one prompt equals comparing all pairs", () => {
    const rows = fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 })), { maxLength: 10 });
    fc.assert(
      fc.property(rows, (samples) => {
        const shares: number[] = [];
        for (const prompt of [0, 1, 2]) {
          const own = samples.filter(([p]) => p === prompt).map(([, response]) => response);
          let pairs = 0;
          let equal = 0;
          for (let i = 0; i < own.length; i++) {
            for (let j = 0; j < i; j++) {
              pairs++;
              if (own[i] === own[j]) equal++;
            }
          }
          if (pairs > 0) shares.push(equal / pairs);
        }
        const agreement = repeatAgreement(
          samples.map(([p]) => [p]),
          samples.map(([, r]) => [r, r]),
        );
        if (shares.length === 0) expect(agreement).toBeNaN();
        else expect(agreement).toBeCloseTo(shares.reduce((a, b) => a + b, 0) / shares.length, 12);
      }),
    );
  });
});
