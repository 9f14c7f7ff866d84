/** Iterations placed at the seconds at which they began. */
import { expect, it } from "vitest";
import { columnOf } from "../../state/column.ts";
import { overTime } from "./time-axis.ts";

const column = (from: number[], mean: (number | null)[], width = 1) => columnOf({ width, from, mean, nonFinite: [] });

it("each value stands at the sum of what came before it", () => {
  const found = overTime(column([0, 1, 2], [5, 6, 7]), column([0, 1, 2], [10, 20, 30]));
  expect(found.from).toEqual([0, 10, 30]);
  expect(found.mean).toEqual([5, 6, 7]);
});

it("buckets of time count for as many iterations as they hold, also for what is measured now and then", () => {
  const seconds = column([0, 4, 8], [1, 2, 3], 4);
  expect(overTime(column([0, 2, 6, 10], [1, 1, 1, 1]), seconds).from).toEqual([0, 2, 8, 18]);
});

it("an abandoned stretch costs no time, and what follows an unknown time is left out", () => {
  expect(overTime(column([0, 1, 5], [1, 1, 1]), column([0, 1, 5], [1, 1, 1])).from).toEqual([0, 1, 2]);
  expect(overTime(column([0, 1, 2], [1, 1, 1]), column([0, 1, 2], [1, null, 1])).from).toEqual([0, 1]);
  expect(overTime(column([0], [1]), column([], [])).from).toEqual([]);
});

it("values that are not finite stay marked at their new place", () => {
  const bad = columnOf({ width: 1, from: [0, 1], mean: [1, null], nonFinite: [[1, 1, "NaN"]] });
  const found = overTime(bad, column([0, 1], [2, 2]));
  expect(found.nonFinite.get(1)?.last).toBeNaN();
  expect(found.mean).toEqual([1, null]);
});
