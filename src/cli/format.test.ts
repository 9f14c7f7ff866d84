/** Numbers and durations as people read them. */
import { expect, it } from "vitest";
import { age, clock, duration, number, percent, points, rate } from "./format.ts";

it("shows numbers that are not finite as what they are", () => {
  expect([
    number(Number.NaN),
    number(Number.POSITIVE_INFINITY),
    number(Number.NEGATIVE_INFINITY),
    number(undefined),
  ]).toEqual(["NaN", "+Inf", "-Inf", "–"]);
  expect(percent(Number.NaN)).toBe("NaN");
});

it("has no negative zero", () => {
  expect(number(-0.0001, 2)).toBe("0.00");
  expect(points(-0.0001)).toBe("0.0");
  expect(points(0.021)).toBe("+2.1");
});

it.each([
  [0.04, "0.0 s"],
  [9.96, "10 s"],
  [59.6, "1:00"],
  [3725, "1:02:05"],
  [Number.NaN, "–"],
])("%f seconds are %s", (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

it("turns slow rates round", () => {
  expect([rate(25, "step"), rate(2.04, "step"), rate(0.5, "it"), rate(Number.NaN, "it")]).toEqual([
    "25 steps/s",
    "2.0 steps/s",
    "2.0 s/it",
    "",
  ]);
  expect(rate(1.5, "it")).toBe("1.5 it/s");
});

it("rounds ages down", () => {
  expect([age(59_000), age(61_000), age(3 * 3600_000), age(49 * 3600_000)]).toEqual(["59 s", "1 min", "3 h", "2 days"]);
  expect(clock(60)).toBe("1:00");
});
