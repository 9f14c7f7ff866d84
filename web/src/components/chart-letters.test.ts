/** Letters at the ends of lines keep clear of one another. */
import { expect, it } from "vitest";
import { apart } from "./chart-letters.ts";

const box = { room: 10, top: 0, bottom: 100 };

it("moves apart what lies close together, in the order it lay in, and leaves the rest", () => {
  expect(apart([50, 20, 52], box)).toEqual([50, 20, 60]);
  expect(apart([30, 30, 30], box)).toEqual([30, 40, 50]);
});

it("stays inside the plot", () => {
  expect(apart([100, 99, -5], box)).toEqual([95, 85, 5]);
});
