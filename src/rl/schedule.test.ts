import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { learningRateAt } from "./schedule.ts";

const rates = (schedule: "constant" | "linear" | "cosine", warmup: number, steps: number) =>
  Array.from({ length: steps }, (_, step) => learningRateAt({ base: 1, schedule, warmup, step, steps }));

describe("the learning rate", () => {
  it("warms up in a line, never from 0, then falls in a line", () => {
    expect(rates("linear", 0.25, 8)).toEqual([1 / 3, 2 / 3, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6].map(near));
  });

  it("falls by half a cosine", () => {
    const half = (i: number) => (1 + Math.cos((Math.PI * i) / 4)) / 2;
    expect(rates("cosine", 0, 4)).toEqual([half(0), half(1), half(2), half(3)].map(near));
  });

  it("goes down by steps, counted from the end of the warm-up", () => {
    const at = (step: number) =>
      learningRateAt({ base: 1, schedule: "step", warmup: 0.1, step, steps: 20, stepFactor: 0.5, stepEvery: 4 });
    expect([0, 1, 2, 5, 6, 9, 10, 19].map(at)).toEqual([1 / 3, 2 / 3, 1, 1, 0.5, 0.5, 0.25, 0.0625].map(near));
    const far = { base: 1, schedule: "step", warmup: 0, steps: 2000 } as const;
    expect(learningRateAt({ ...far, step: 499 })).toBe(1);
    expect(learningRateAt({ ...far, step: 1000 })).toBeCloseTo(0.81, 12);
  });

  it("stays, if it is constant", () => {
    expect(rates("constant", 0.5, 4)).toEqual([1 / 3, 2 / 3, 1, 1].map(near));
  });

  it("is positive at every step, at most the base, and reaches it unless all is warm-up", () => {
    const schedule = fc.constantFrom("constant" as const, "linear" as const, "cosine" as const);
    fc.assert(
      fc.property(
        schedule,
        fc.double({ min: 0, max: 0.9, noNaN: true }),
        fc.integer({ min: 1, max: 60 }),
        (s, w, n) => {
          const all = rates(s, w, n);
          expect(Math.min(...all)).toBeGreaterThan(0);
          expect(Math.max(...all)).toBeLessThanOrEqual(1);
          if (Math.ceil(w * n) < n) expect(Math.max(...all)).toBe(1);
        },
      ),
    );
  });
});

function near(x: number): unknown {
  return expect.closeTo(x, 12);
}
