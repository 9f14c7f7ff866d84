import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import type { LossRequest } from "./engine.ts";
import { gradientInPasses, microBatches } from "./passes.ts";

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

  it.each([0, 0.25, 1])(
    "cost as little as the best of all ways to cut: %d for a place of padding, 100 for a pass",
    (paddingCost) => {
      const sum = (xs: readonly number[]) => xs.reduce((a, b) => a + b, 0);
      const cost = (groups: readonly (readonly number[])[]) =>
        sum(groups.map((group) => paddingCost * (group.length * Math.max(...group) - sum(group)) + 100));
      const few = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 9 });
      fc.assert(
        fc.property(few, fc.integer({ min: 50, max: 1500 }), (all, limit) => {
          const sorted = [...all].sort((a, b) => a - b);
          // Every subset of the gaps between neighbours is a way to cut.
          const ways = Array.from({ length: 2 ** (all.length - 1) }, (_, cuts) => {
            const groups = [[sorted[0]!]];
            for (const [i, length] of sorted.slice(1).entries())
              if (cuts & (1 << i)) groups.push([length]);
              else groups.at(-1)!.push(length);
            return groups;
          }).filter((groups) =>
            groups.every((group) => group.length === 1 || group.length * Math.max(...group) <= limit),
          );
          const found = microBatches(all, 0, { limit, paddingCost }).map((group) => group.map((i) => all[i]!));
          expect(cost(found)).toBe(Math.min(...ways.map(cost)));
        }),
      );
    },
  );

  it.each([100, 700, 2048])("of at most %d padded tokens hold as many sequences as fit", (limit) => {
    const tokens = Array.from({ length: 40 }, () => 100);
    const parts = microBatches(tokens, 0, { limit });
    expect(Math.max(...parts.map((part) => part.length * 100))).toBe(Math.floor(limit / 100) * 100);
    // The caller's own number of sequences is used as it is.
    expect(microBatches(tokens, 30, { limit }).map((part) => part.length)).toEqual([30, 10]);
  });

  it("give their results back in the order of the sequences, their losses and what is not finite added up", async () => {
    await fc.assert(
      fc.asyncProperty(lengths, async (all) => {
        const sequences = all.map((length, i) => ({ tokens: new Array<number>(length).fill(i), start: 1 }));
        const loss: LossRequest = { name: "cross_entropy", sequences, weights: all.map((_, i) => [i]) };
        let passes = 0;
        const options = { microBatch: 3, beforePass: () => passes++ };
        const result = await gradientInPasses(loss, options, async (part) => {
          const { weights, sequences: its } = part as typeof loss;
          expect(its.map(({ tokens }) => tokens[0])).toEqual(weights.flat());
          return {
            loss: weights.length,
            gradSquaredNorm: passes === 1 ? Number.NaN : 1,
            values: [...weights] as number[][],
          };
        });
        expect(result).toEqual({ loss: all.length, nonFinite: 1, values: all.map((_, i) => [i]) });
        expect(passes).toBe(Math.ceil(all.length / 3));
      }),
    );
  });

  it("may be given by the caller, who then learns the norm of each; and a caller may leave between two", async () => {
    const sequences = [1, 2, 3].map((token) => ({ tokens: [token, token], start: 1 }));
    const loss: LossRequest = { name: "cross_entropy", sequences, weights: [[1], [2], [3]] };
    const pass = async (part: LossRequest) => {
      const total = part.weights.flat().reduce((a, b) => a + b, 0);
      return { loss: total, gradSquaredNorm: total ** 2 };
    };
    const parts = [[2], [0, 1]];
    expect(await gradientInPasses(loss, { parts }, pass)).toEqual({ loss: 6, nonFinite: 0, partSquaredNorms: [9, 9] });
    let left = 0;
    const beforePass = () => {
      if (++left === 2) throw new Error("enough");
    };
    await expect(gradientInPasses(loss, { microBatch: 1, beforePass }, pass)).rejects.toThrow("enough");
    expect(left).toBe(2);
  });
});
