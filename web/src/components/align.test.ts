/** Lines of different iterations on one axis: what counts as a gap. */
import { expect, it } from "vitest";
import { columnOf } from "../state/column.ts";
import { align } from "./align.ts";

const column = (from: number[], mean: (number | null)[], width = 1) => columnOf({ width, from, mean, nonFinite: [] });
const aligned = (...columns: ReturnType<typeof column>[]) =>
  align(columns.map((one) => ({ column: one, values: one.mean })));

it("a line measured every ten iterations has no gaps beside one of every iteration", () => {
  const { x, rows } = aligned(column([0, 1, 2, 3, 4], [1, 2, 3, 4, 5]), column([0, 2, 4], [7, 8, 9]));
  expect(x).toEqual([0, 1, 2, 3, 4]);
  expect(rows).toEqual([
    [1, 2, 3, 4, 5],
    [7, undefined, 8, undefined, 9],
  ]);
});

it("iterations that are missing, and values that are not finite, break the line", () => {
  const { x, rows } = aligned(column([0, 1, 2, 6, 7], [1, null, 3, 4, 5]));
  expect(x).toEqual([0, 1, 2, 3, 6, 7]);
  expect(rows).toEqual([[1, null, 3, null, 4, 5]]);
});

it("buckets are as far apart as they are wide", () => {
  expect(aligned(column([0, 8, 16, 32], [1, 2, 3, 4], 8)).x).toEqual([0, 8, 16, 24, 32]);
  expect(align([])).toEqual({ x: [], rows: [] });
});

it("lines of the same iterations stand beside one another as they are, also if one has no number", () => {
  const { x, rows } = aligned(column([3, 4, 5], [1, null, 3]), column([3, 4, 5], [4, 5, 6]));
  expect([x, rows]).toEqual([
    [3, 4, 5],
    [
      [1, null, 3],
      [4, 5, 6],
    ],
  ]);
});
