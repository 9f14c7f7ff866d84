/** Numbers and durations for people. */
import { expect, it } from "vitest";
import { age, clock, duration, figure, number, percent, points, rate } from "./number-format.ts";

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

it("shows four significant digits of any size", () => {
  const cases = [0.0123456, 3e-5, 1.5e-7, 123456, 12345678, 1, 0, -0, 100, Number.NaN, -1e-9, 9.9999e-5];
  expect(cases.map(figure)).toEqual([
    ...["0.01235", "3e-5", "1.5e-7", "123456", "1.235e+7", "1", "0", "0", "100", "NaN", "-1e-9", "1e-4"],
  ]);
});
