import { describe, expect, it } from "vitest";
import { random } from "../util/random.ts";
import { meanInterval95, pairedDifference95, wilson95 } from "./interval.ts";

describe("95% intervals", () => {
  it("of a share are Wilson's: the shares p whose own error reaches the one observed", () => {
    for (const [successes, n] of [
      [0, 10],
      [3, 10],
      [50, 100],
      [1024, 1024],
    ] as const) {
      for (const p of wilson95(successes, n)) {
        if (p === 0 || p === 1) continue;
        const reach = Math.abs(successes / n - p) / Math.sqrt((p * (1 - p)) / n);
        expect(reach).toBeCloseTo(1.959963984540054, 9);
      }
    }
    expect(wilson95(0, 10)[0]).toBe(0);
    expect(wilson95(10, 10)[1]).toBe(1);
    expect(wilson95(0, 0)).toEqual([NaN, NaN]);
  });

  it("of a mean hold it in about 95 of 100 trials", () => {
    const stream = random("coverage");
    let held = 0;
    for (let trial = 0; trial < 1000; trial++) {
      const { low, high } = meanInterval95(Array.from({ length: 50 }, () => 3 + stream.normal()));
      if (low <= 3 && 3 <= high) held++;
    }
    expect(held).toBeGreaterThan(925);
    expect(held).toBeLessThan(965);
  });

  it("of a paired difference count only the cases that changed", () => {
    const before = [true, true, false, false];
    const after = [true, true, true, false];
    const { difference, low, high } = pairedDifference95(before, after);
    expect(difference).toBe(0.25);
    // Differences 0, 0, 1, 0: standard deviation 0.5, error 0.25.
    expect(high - difference).toBeCloseTo(1.959963984540054 * 0.25, 12);
    expect(difference - low).toBeCloseTo(high - difference, 12);
    expect(pairedDifference95(before, before)).toEqual({ difference: 0, low: 0, high: 0 });
    expect(() => pairedDifference95([true], [])).toThrow("after has 0 entries where before has 1");
  });
});
