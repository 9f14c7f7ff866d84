import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { nonFiniteCount, tokenCount, tokenDeviation, tokenMean, tokenVariance } from "./row-statistics.ts";
import { mean, standardDeviation, variance } from "./statistics.ts";

const number = fc.oneof(fc.double(), fc.constantFrom(0.1, 0.1, 0.1, Number.NaN));
const token = fc.tuple(number, fc.constantFrom(0, 1, 1));

describe("statistics of ragged rows", () => {
  it("have the bits of those of the list of their valid tokens", () => {
    fc.assert(
      fc.property(fc.array(fc.array(token, { maxLength: 5 }), { maxLength: 4 }), fc.boolean(), (tokens, masked) => {
        const rows = tokens.map((row) => row.map(([x]) => x));
        const mask = masked ? tokens.map((row) => row.map(([, valid]) => valid)) : undefined;
        const list = tokens.flat().flatMap(([x, valid]) => (masked && valid === 0 ? [] : [x]));
        expect(tokenCount(rows, mask)).toBe(list.length);
        expect(nonFiniteCount(rows, mask)).toBe(list.filter((x) => !Number.isFinite(x)).length);
        expect(tokenMean(rows, mask)).toBe(mean(list));
        expect(tokenMean(rows, mask, { absolute: true })).toBe(mean(list.map(Math.abs)));
        expect(tokenVariance(rows, mask)).toBe(variance(list));
        expect(tokenDeviation(rows, mask, { unbiased: true })).toBe(standardDeviation(list, { unbiased: true }));
      }),
    );
  });
});
