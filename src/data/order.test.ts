import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { stepIndices } from "./order.ts";

const sorted = (values: number[]) => [...values].sort((a, b) => a - b);
const range = (n: number) => Array.from({ length: n }, (_, index) => index);

describe("stepIndices", () => {
  it("shows every row exactly once an epoch, whatever divides what", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 1, max: 90 }),
        fc.nat(),
        (rows, batchSize, seed) => {
          const steps = Math.ceil((3 * rows) / batchSize);
          const stream = range(steps).flatMap((step) => stepIndices({ rows, batchSize, seed, step }));
          for (let epoch = 0; epoch < 3; epoch++) {
            expect(sorted(stream.slice(epoch * rows, (epoch + 1) * rows))).toEqual(range(rows));
          }
        },
      ),
    );
  });

  it("needs nothing but the step: any order of asking gives the same", () => {
    const options = { rows: 103, batchSize: 10, seed: 4 };
    const forward = range(40).map((step) => stepIndices({ ...options, step }));
    const backward = range(40)
      .reverse()
      .map((step) => stepIndices({ ...options, step }));
    expect(backward.reverse()).toEqual(forward);
  });

  it("shuffles differently by epoch and by seed", () => {
    const epoch = (seed: number, step: number) => stepIndices({ rows: 50, batchSize: 50, seed, step });
    expect(epoch(1, 0)).not.toEqual(epoch(1, 1));
    expect(epoch(1, 0)).not.toEqual(epoch(2, 0));
    expect(epoch(1, 0)).not.toEqual(range(50));
  });
});
