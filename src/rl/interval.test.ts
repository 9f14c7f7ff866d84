import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { random } from "../util/random.ts";
import { meanInterval95, pairedDifference95, shareInterval95, wilson95 } from "./interval.ts";

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

/** The cluster-robust standard error as in a textbook: every pair of values in one cluster. */
function slowError(values: readonly number[], clusters: readonly (string | number)[]): number {
  const n = values.length;
  const mean = values.reduce((a, b) => a + b, 0) / n;
  let together = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) if (clusters[i] === clusters[j]) together += (values[i]! - mean) * (values[j]! - mean);
  const G = new Set(clusters).size;
  return Math.sqrt(((G / (G - 1)) * Math.max(0, together)) / n ** 2);
}

const finite = fc.double({ min: -100, max: 100, noNaN: true });
const clustered = <T>(value: fc.Arbitrary<T>) =>
  fc.array(fc.tuple(value, fc.integer({ min: 0, max: 9 })), { minLength: 2, maxLength: 60 });
const copies = <T>(list: readonly T[], k: number) => Array.from({ length: k }, () => list).flat();
const names = (list: readonly unknown[]) => list.map((_, i) => `prompt ${i}`);

describe("95% intervals by clusters", () => {
  it("of a mean are the slow double loop's", () => {
    fc.assert(
      fc.property(clustered(finite), (pairs) => {
        const values = pairs.map(([value]) => value);
        const clusters = pairs.map(([, cluster]) => cluster);
        fc.pre(new Set(clusters).size > 1);
        const { mean, high, low } = meanInterval95(values, clusters);
        expect(high - mean).toBeCloseTo(1.959963984540054 * slowError(values, clusters), 4);
        expect(mean - low).toBeCloseTo(high - mean, 9);
      }),
    );
  });

  it("with every cluster distinct are those of independent values, to the bit", () => {
    fc.assert(
      fc.property(fc.array(finite, { minLength: 1, maxLength: 60 }), (values) => {
        expect(meanInterval95(values, names(values))).toEqual(meanInterval95(values));
        const before = values.map((_, i) => i % 3);
        expect(pairedDifference95(before, values, names(values))).toEqual(pairedDifference95(before, values));
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }), (verdicts) => {
        const { low, high } = shareInterval95(verdicts, names(verdicts));
        expect([low, high]).toEqual(wilson95(verdicts.filter(Boolean).length, verdicts.length));
      }),
    );
  });

  it("with k copies of each are those of one of each: a repeat is not news", () => {
    const k = fc.integer({ min: 2, max: 6 });
    const near = (found: object, wanted: object) => {
      for (const [key, value] of Object.entries(wanted))
        expect((found as Record<string, number>)[key], key).toBeCloseTo(value as number, 9);
    };
    fc.assert(
      fc.property(fc.array(finite, { minLength: 2, maxLength: 30 }), k, (values, times) => {
        const clusters = copies(names(values), times);
        near(meanInterval95(copies(values, times), clusters), meanInterval95(values));
        const before = values.map((_, i) => i % 2);
        const many = pairedDifference95(copies(before, times), copies(values, times), clusters);
        near(many, pairedDifference95(before, values));
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }), k, (verdicts, times) => {
        const one = shareInterval95(verdicts, names(verdicts));
        near(shareInterval95(copies(verdicts, times), copies(names(verdicts), times)), one);
      }),
    );
  });

  it("of a share lie between those of independent answers and of prompts that answer as one", () => {
    fc.assert(
      fc.property(clustered(fc.boolean()), (pairs) => {
        const verdicts = pairs.map(([verdict]) => verdict);
        const clusters = pairs.map(([, cluster]) => cluster);
        const { mean, low, high } = shareInterval95(verdicts, clusters);
        const n = verdicts.length;
        const sizes = new Map<number, number>();
        for (const cluster of clusters) sizes.set(cluster, (sizes.get(cluster) ?? 0) + 1);
        const least = n ** 2 / [...sizes.values()].reduce((total, size) => total + size ** 2, 0);
        const [innerLow, innerHigh] = wilson95(mean * n, n);
        const [outerLow, outerHigh] = wilson95(mean * least, least);
        expect(low).toBeLessThanOrEqual(innerLow + 1e-9);
        expect(high).toBeGreaterThanOrEqual(innerHigh - 1e-9);
        expect(low).toBeGreaterThanOrEqual(outerLow - 1e-9);
        expect(high).toBeLessThanOrEqual(outerHigh + 1e-9);
      }),
    );
  });

  it("hold a truth that prompts differ about in about 95 of 100 trials; independent ones would not", () => {
    const stream = random("clustered coverage");
    const held = { clustered: 0, independent: 0, share: 0 };
    for (let trial = 0; trial < 600; trial++) {
      const values: number[] = [];
      const clusters: number[] = [];
      for (let prompt = 0; prompt < 60; prompt++) {
        const own = stream.normal();
        for (let repeat = 0; repeat < 6; repeat++) {
          values.push(own + stream.normal());
          clusters.push(prompt);
        }
      }
      const holds = ({ low, high }: { low: number; high: number }, truth: number) =>
        Number(low <= truth && truth <= high);
      held.clustered += holds(meanInterval95(values, clusters), 0);
      held.independent += holds(meanInterval95(values), 0);
      held.share += holds(
        shareInterval95(
          values.map((value) => value > 0),
          clusters,
        ),
        0.5,
      );
    }
    expect(held.clustered / 600).toBeGreaterThan(0.91);
    expect(held.clustered / 600).toBeLessThan(0.98);
    expect(held.share / 600).toBeGreaterThan(0.91);
    expect(held.share / 600).toBeLessThan(0.98);
    expect(held.independent / 600).toBeLessThan(0.8);
  });

  it("of 732 in 1,000 pairs, four a prompt, are the bootstrap's over prompts, not Wilson's over pairs", () => {
    // Prompts by how many of their four pairs are judged correctly.
    const prompts = { 4: 165, 3: 22, 2: 3, 0: 60 };
    const right = Object.entries(prompts).flatMap(([count, times]) => Array<number>(times).fill(Number(count)));
    const verdicts = right.flatMap((count) => [0, 1, 2, 3].map((i) => i < count));
    const clusters = verdicts.map((_, i) => `prompt ${Math.floor(i / 4)}`);
    const { mean, low, high } = shareInterval95(verdicts, clusters);
    const percent = (x: number) => Number((100 * x).toFixed(1));
    expect([mean, low, high].map(percent)).toEqual([73.2, 67.7, 78.1]);
    expect(wilson95(732, 1000).map(percent)).toEqual([70.4, 75.9]);
    const stream = random("bootstrap over prompts");
    const means = Array.from({ length: 2000 }, () => {
      let total = 0;
      for (let i = 0; i < right.length; i++) total += stream.pick(right);
      return total / 1000;
    }).sort((a, b) => a - b);
    expect(Math.abs(means[50]! - low)).toBeLessThan(0.006);
    expect(Math.abs(means[1949]! - high)).toBeLessThan(0.006);
  });

  it("of a single cluster have no bounds for a mean; lists of unlike length are refused", () => {
    expect(meanInterval95([1, 2, 3], ["a", "a", "a"])).toEqual({ mean: 2, low: NaN, high: NaN });
    expect(() => meanInterval95([1, 2], ["a"])).toThrow("clusters has 1");
    expect(() => shareInterval95([true], [])).toThrow("clusters has 0");
  });
});
