import { describe, expect, it } from "vitest";
import { randomRows, validCells } from "../../test/support/rows.ts";
import { whiten } from "./whiten.ts";

describe("whitening", () => {
  it("equals the obvious loop over all valid tokens of the rollout", () => {
    for (let seed = 0; seed < 30; seed++) {
      const { mask, grids } = randomRows(seed, { count: 1, poison: true });
      const rows = grids[0]!;
      const cells = [...validCells(mask)];
      if (cells.length < 2) continue;
      let mean = 0;
      for (const [b, t] of cells) mean += rows[b]![t]! / cells.length;
      let variance = 0;
      for (const [b, t] of cells) variance += (rows[b]![t]! - mean) ** 2 / (cells.length - 1);
      const result = whiten(rows, mask);
      for (const [b, t] of cells)
        expect(result.rows[b]![t]).toBeCloseTo((rows[b]![t]! - mean) / Math.sqrt(variance + 1e-8), 9);
      expect(result.mean).toBeCloseTo(mean, 12);
      expect(result.std).toBeCloseTo(Math.sqrt(variance), 12);
      expect(result.count).toBe(cells.length);
    }
  });

  it("leaves one valid token as it is, and says that it was one", () => {
    expect(whiten([[4, 9], [5]], [[0, 1], [0]])).toEqual({ rows: [[0, 9], [0]], mean: 9, std: NaN, count: 1 });
  });

  it("turns advantages that are all equal into zeros, not NaN", () => {
    expect(whiten([[0.3, 0.3, 0.3]]).rows[0]!.every((x) => Math.abs(x) < 1e-9)).toBe(true);
  });

  it("lets NaN spread to all, so that it is seen", () => {
    expect(whiten([[1, NaN, 2]]).rows).toEqual([[NaN, NaN, NaN]]);
  });
});
