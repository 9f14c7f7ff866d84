import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { runRecord, temporaryStore } from "../../test/support/store.ts";
import type { Store } from "./index.ts";
import type { SeriesPoint } from "./stored-rows.ts";

/** The expected point over these values. */
function summary(values: readonly number[]): Omit<SeriesPoint, "from" | "to"> {
  const finite = values.filter(Number.isFinite);
  const sum = finite.reduce((total, value) => total + value, 0);
  return {
    min: finite.length > 0 ? Math.min(...finite) : null,
    max: finite.length > 0 ? Math.max(...finite) : null,
    mean: finite.length > 0 ? sum / finite.length : null,
    last: values.at(-1)!,
    count: values.length,
    nonFinite: values.length - finite.length,
  };
}

function bruteForce(rows: ReadonlyMap<number, number>, query: { from: number; to: number; width: number }) {
  const { from, to, width } = query;
  const buckets = new Map<number, number[]>();
  for (const [iteration, value] of [...rows].sort(([a], [b]) => a - b)) {
    if (iteration < from || iteration >= to) continue;
    const bucket = Math.floor(iteration / width);
    buckets.set(bucket, [...(buckets.get(bucket) ?? []), value]);
  }
  return [...buckets].map(([b, values]) => ({ from: b * width, to: (b + 1) * width, ...summary(values) }));
}

// Whole numbers, so that sums do not depend on their order.
const value = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: -1000, max: 1000 }) },
  fc.constantFrom(Number.NaN, Infinity, -Infinity),
);
const attempt = fc.record({
  /** Where it resumes, in percent of the recorded iterations; above 100 leaves a gap. */
  resume: fc.integer({ min: 0, max: 105 }),
  /** The interval at which the metric is recorded, in iterations; the run's others are always recorded. */
  every: fc.constantFrom(1, 1, 1, 2, 7, 50),
  iterations: fc.integer({ min: 1, max: 900 }),
  values: fc.array(value, { minLength: 1, maxLength: 40 }),
  /** Whether it says where it resumes, but dies before recording anything. */
  barren: fc.boolean(),
});
const query = fc.record({
  from: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2000 })),
  to: fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 2000 })),
  maxPoints: fc.constantFrom(1, 3, 10, 100, 400, Infinity),
});

describe("a series", () => {
  it("equals brute force over the current rows, whatever was resumed and superseded", { timeout: 120_000 }, () => {
    const store = temporaryStore();
    let run = 0;
    fc.assert(
      fc.property(
        fc.array(attempt, { minLength: 1, maxLength: 4 }),
        fc.array(query, { minLength: 4, maxLength: 4 }),
        (attempts, queries) => {
          const id = `run-${run++}`;
          const rows = record(store, id, attempts);
          for (const { from, to, maxPoints } of queries) {
            const { width, points } = store.series(id, "ppo", "x", { from, to, maxPoints });
            expect(points).toEqual(bruteForce(rows, { from, to, width }));
            expect(points.length).toBeLessThanOrEqual(maxPoints);
            expect(Math.log2(width) % 1).toBe(0);
          }
          const iterations = [...rows.keys()].sort((a, b) => a - b);
          const newest = iterations.at(-1);
          const latest = store.latest(id, "ppo").find(({ key }) => key === "x");
          expect(latest).toEqual(
            newest === undefined ? undefined : { key: "x", iteration: newest, value: rows.get(newest) },
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  it("keeps a spike of one iteration, and a single NaN, at every zoom", () => {
    const store = temporaryStore();
    store.createRun(runRecord("a"));
    const recorder = store.recorder("a", store.startAttempt("a"));
    for (let iteration = 0; iteration < 10_000; iteration++)
      recorder.metrics("ppo", iteration, { x: iteration === 6_789 ? 1e6 : iteration === 1_234 ? Number.NaN : 1 });
    recorder.commit();
    for (const maxPoints of [1, 7, 100, 2_000]) {
      const { points } = store.series("a", "ppo", "x", { maxPoints });
      expect(Math.max(...points.map((point) => point.max!))).toBe(1e6);
      expect(points.reduce((n, point) => n + point.nonFinite, 0)).toBe(1);
      expect(points.reduce((n, point) => n + point.count, 0)).toBe(10_000);
    }
  });

  it("reads rollups, not values, if there are many", () => {
    const store = temporaryStore();
    store.createRun(runRecord("a"));
    const recorder = store.recorder("a", store.startAttempt("a"));
    for (let iteration = 0; iteration <= 1024; iteration++) recorder.metrics("ppo", iteration, { x: iteration });
    recorder.commit();
    expect(store.series("a", "ppo", "x", { maxPoints: 2 })).toEqual({
      width: 1024,
      points: [
        { from: 0, to: 1024, min: 0, max: 1023, mean: 511.5, last: 1023, count: 1024, nonFinite: 0 },
        { from: 1024, to: 2048, min: 1024, max: 1024, mean: 1024, last: 1024, count: 1, nonFinite: 0 },
      ],
    });
  });

  it("is empty for a metric that was never recorded", () => {
    const store = temporaryStore();
    store.createRun(runRecord("a"));
    expect(store.series("a", "ppo", "nothing")).toEqual({ width: 1, points: [] });
  });

  it("leaves a stage out that a newer attempt has started again before", () => {
    const store = temporaryStore();
    store.createRun(runRecord("a"));
    const first = store.recorder("a", store.startAttempt("a"));
    for (let i = 0; i < 20; i++) first.metrics("sft", i, { x: 1 });
    for (let i = 0; i < 20; i++) first.metrics("ppo", i, { x: 1 });
    first.commit();
    store.startAttempt("a", { begins: { stage: "sft", iteration: 10 } });
    expect(store.series("a", "sft", "x").points).toHaveLength(10);
    expect(store.series("a", "ppo", "x").points).toHaveLength(0);
    store.startAttempt("a", { begins: { stage: "reward", iteration: 0 } });
    expect(store.series("a", "sft", "x").points).toHaveLength(10);
  });
});

type Attempt = typeof attempt extends fc.Arbitrary<infer A> ? A : never;

/** Records attempts; returns the current values of metric x by iteration. */
function record(store: Store, id: string, attempts: readonly Attempt[]): Map<number, number> {
  store.createRun(runRecord(id));
  const rows = new Map<number, number>();
  let end = 0;
  for (const { resume, every, iterations, values, barren } of attempts) {
    const begins = Math.floor((resume * end) / 100);
    const number = store.startAttempt(id);
    const recorder = store.recorder(id, number);
    recorder.event({ kind: "resumed", stage: "ppo", iteration: begins, message: "resumed" });
    for (const iteration of [...rows.keys()]) if (iteration >= begins) rows.delete(iteration);
    end = barren ? begins : begins + iterations;
    for (let iteration = begins; iteration < end; iteration++) {
      recorder.metrics("ppo", iteration, { always: iteration });
      if (iteration % every === 0) {
        const x = values[iteration % values.length]!;
        recorder.metrics("ppo", iteration, { x });
        rows.set(iteration, x);
      }
      if (iteration % 10 === 0) recorder.commit();
    }
    recorder.close();
  }
  return rows;
}
