import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { inOrder, microBatches } from "./microbatches.ts";

const lengths = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 60 });

describe("micro-batches", () => {
  it("hold every sequence once, shortest first, within their size", () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 0, max: 9 }), (all, size) => {
        const groups = microBatches(all, size);
        expect(groups.flat().sort((a, b) => a - b)).toEqual(all.map((_, i) => i));
        const seen = groups.flat().map((i) => all[i]!);
        expect(seen).toEqual([...seen].sort((a, b) => a - b));
        for (const group of groups) {
          const padded = group.length * Math.max(...group.map((i) => all[i]!));
          expect(size === 0 ? group.length === 1 || padded <= 2048 : group.length <= size).toBe(true);
        }
      }),
    );
  });

  it("give their results back in the order of the sequences", () => {
    fc.assert(
      fc.property(lengths, (all) => {
        const groups = microBatches(all, 3);
        const passes = groups.map((group) => ({ loss: 0, gradSquaredNorm: 0, values: group.map((i) => [i]) }));
        expect(inOrder(groups, passes, "values")).toEqual(all.map((_, i) => [i]));
      }),
    );
  });
});
