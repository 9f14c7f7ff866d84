import { describe, expect, it } from "vitest";
import { checkSameLength, checkSameShape, mapRows, validRows, validValues } from "./token-rows.ts";

describe("rows", () => {
  const rows = [[1, NaN, 3], [], [4]];
  const mask = [[1, 0, 1], [], [0]];

  it("leave masked cells out, whatever they hold", () => {
    expect(validValues(rows, mask)).toEqual([1, 3]);
    expect(validRows(rows, mask)).toEqual([[1, 3], [], []]);
    expect(mapRows(rows, mask, (x, b, t) => 100 * b + 10 * t + x)).toEqual([[1, 0, 23], [], [0]]);
  });

  it("all count without a mask", () => {
    expect(validValues([[1], [], [2, 3]])).toEqual([1, 2, 3]);
  });

  it("of different shapes are refused, with both sizes", () => {
    expect(() => checkSameShape({ a: [[1]], b: [[1], [2]] })).toThrow("b has 2 rows where a has 1");
    expect(() => checkSameShape({ a: [[1], [2]], mask: undefined, b: [[1], [2, 3]] })).toThrow(
      "row 1 of b has 2 tokens where a has 1",
    );
    expect(() => checkSameLength({ a: [1], b: [] })).toThrow("b has 0 entries where a has 1");
  });
});
