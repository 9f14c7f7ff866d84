/** Axes: no measurement is cut off, and labels distinguish lines. */

import { describe, expect, it } from "vitest";
import fc from "../../../test/support/property.ts";
import { exactDuration } from "../format.ts";
import { ticks, xRange, yRange } from "./chart-axes.ts";

describe("yRange", () => {
  it("holds all of the data, whatever the guides", () => {
    // No measurement is so small that a share of it is 0.
    const number = fc.double({ min: -1e6, max: 1e6, noNaN: true }).filter((n) => n === 0 || Math.abs(n) > 1e-300);
    fc.assert(
      fc.property(number, number, fc.array(number, { maxLength: 3 }), (one, other, guides) => {
        const [low, high] = [Math.min(one, other), Math.max(one, other)];
        const [a, b] = yRange({ low, high, guides });
        expect(a).toBeLessThanOrEqual(low);
        expect(b).toBeGreaterThanOrEqual(high);
        expect(b).toBeGreaterThan(a);
      }),
    );
    const positive = fc.double({ min: 1e-9, max: 1e9, noNaN: true });
    fc.assert(
      fc.property(positive, positive, (one, other) => {
        const [low, high] = [Math.min(one, other), Math.max(one, other)];
        const [a, b] = yRange({ low, high, log: true });
        expect(a).toBeLessThanOrEqual(low);
        expect(b).toBeGreaterThanOrEqual(high);
      }),
    );
  });

  it("shows a threshold that is near and leaves out one that would flatten the line", () => {
    expect(yRange({ low: 0, high: 0.1, floor: 0, guides: [0.15] })[1]).toBeGreaterThan(0.15);
    expect(yRange({ low: 0, high: 0.01, floor: 0, guides: [0.15] })[1]).toBeLessThan(0.02);
    expect(yRange({ low: 1, high: 10, log: true, guides: [90] })[1]).toBeGreaterThanOrEqual(90);
    expect(yRange({ low: 1, high: 10, log: true, guides: [900] })[1]).toBeLessThan(100);
  });

  it("shows a threshold however far it is, if the chart is about it", () => {
    expect(yRange({ low: 0, high: 0.01, guides: [0.15], reach: true })[1]).toBeGreaterThan(0.15);
  });

  it("keeps its ends if a share cannot go further", () => {
    expect(yRange({ low: 0, high: 0.99, floor: 0, ceiling: 1 })).toEqual([0, 1]);
    expect(yRange({ low: null, high: null, floor: 0, ceiling: 1 })).toEqual([0, 1]);
    expect(yRange({ low: -0.4, high: 1, ceiling: 1 })[0]).toBeLessThan(-0.4);
  });
});

it("xRange shows up to the iteration before its end, and room around a single one", () => {
  expect(xRange({ low: 0, high: 99, from: 10, to: 21 })).toEqual([10, 20]);
  expect(xRange({ low: 7, high: 7 })).toEqual([6.5, 7.5]);
  expect(xRange({ low: null, high: null })).toEqual([0, 1]);
});

it("ticks tell neighbouring lines apart, alike, and are short", () => {
  expect(ticks([0.99, 0.995, 1], 0.005)).toEqual(["0.990", "0.995", "1.000"]);
  expect(ticks([0, 0.25, 0.5], 0.25)).toEqual(["0.00", "0.25", "0.50"]);
  expect(ticks([0, 50, 100], 50)).toEqual(["0", "50", "100"]);
  expect(ticks([0, 0.0005, 0.001], 0.0005)).toEqual(["0.0000", "0.0005", "0.0010"]);
  expect(ticks([0, 0.00001, 0.000015], 0.000005)).toEqual(["0", "1.0e−5", "1.5e−5"]);
  expect(ticks([-200_000, 1_000_000], 200_000)).toEqual(["−2e5", "1.0e6"]);
});

it("seconds of training have parts, and iterations are whole", () => {
  expect(xRange({ low: 0, high: 9, from: 2.4, to: 3.1, step: 0 })).toEqual([2.4, 3.1]);
  expect([0, 2.414, 59.999, 72.5, 3600].map(exactDuration)).toEqual(["0 s", "2.41 s", "1:00", "1:12.5", "1:00:00"]);
});
