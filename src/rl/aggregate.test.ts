import { describe, expect, it } from "vitest";
import { randomRows, validCells } from "../../test/support/rows.ts";
import { tokenWeights, weightedSum } from "./aggregate.ts";

describe("token weights", () => {
  it("give the two means that the obvious loops give", () => {
    for (let seed = 0; seed < 40; seed++) {
      const { mask, grids } = randomRows(seed, { count: 1, poison: true });
      const x = grids[0]!;
      const bySequence = new Map<number, number[]>();
      for (const [b, t] of validCells(mask)) bySequence.set(b, [...(bySequence.get(b) ?? []), x[b]![t]!]);
      if (bySequence.size === 0) continue;
      const mean = (list: number[]) => list.reduce((a, b) => a + b, 0) / list.length;
      expect(weightedSum(x, tokenWeights({ mask, aggregation: "token-mean" }))).toBeCloseTo(
        mean([...bySequence.values()].flat()),
        12,
      );
      expect(weightedSum(x, tokenWeights({ mask, aggregation: "sequence-mean" }))).toBeCloseTo(
        mean([...bySequence.values()].map(mean)),
        12,
      );
      expect(weightedSum(x, tokenWeights({ mask, aggregation: "sequence-sum" }))).toBeCloseTo(
        mean([...bySequence.values()].map((list) => list.reduce((a, b) => a + b, 0))),
        12,
      );
    }
  });

  it("sum to 1 and may be cut into micro-batches anywhere", () => {
    for (const aggregation of ["token-mean", "sequence-mean"] as const) {
      const weights = tokenWeights({ lengths: [3, 0, 5, 1], aggregation });
      const ones = weights.map((row) => row.map(() => 1));
      expect(weightedSum(ones, weights)).toBeCloseTo(1, 12);
      for (let cut = 0; cut <= 4; cut++) {
        const parts =
          weightedSum(ones.slice(0, cut), weights.slice(0, cut)) + weightedSum(ones.slice(cut), weights.slice(cut));
        expect(parts).toBeCloseTo(1, 12);
      }
    }
  });

  it("from lengths equal those from a mask of ones, and a step without a token has none", () => {
    expect(tokenWeights({ lengths: [2, 1], aggregation: "sequence-mean" })).toEqual([[0.25, 0.25], [0.5]]);
    expect(tokenWeights({ mask: [[0, 0]], aggregation: "token-mean" })).toEqual([[0, 0]]);
  });
});
