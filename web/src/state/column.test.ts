/** What the stream adds to a column equals what the server would have answered. */

import { describe, expect, it } from "vitest";
import fc from "../../../test/support/property.ts";
import { append, columnOf, emptyColumn, lastOf, smoothed } from "./column.ts";

describe("append", () => {
  it("buckets values as a slow loop does", () => {
    const values = fc.array(fc.oneof(fc.double({ min: -5, max: 5, noNaN: true }), fc.constant(Number.NaN)), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(values, fc.constantFrom(2, 4, 8), (list, width) => {
        const column = { ...emptyColumn(), width };
        list.forEach((value, iteration) => {
          expect(append(column, iteration, value)).toBe(true);
        });
        for (let bucket = 0; bucket * width < list.length; bucket++) {
          const finite = list.slice(bucket * width, (bucket + 1) * width).filter(Number.isFinite);
          expect(column.from[bucket]).toBe(bucket * width);
          if (finite.length === 0) expect(column.mean[bucket]).toBeNull();
          else {
            expect(column.min[bucket]).toBe(Math.min(...finite));
            expect(column.max[bucket]).toBe(Math.max(...finite));
          }
        }
        const bad = [...column.nonFinite.values()].reduce((total, { count }) => total + count, 0);
        expect(bad).toBe(list.filter(Number.isNaN).length);
      }),
    );
  });

  it("takes the newest word if an iteration comes twice, and refuses to go back", () => {
    const column = emptyColumn();
    append(column, 4, 1);
    append(column, 5, Number.NaN);
    expect(lastOf(column)).toBeNaN();
    expect(append(column, 5, 3)).toBe(true);
    expect([column.from, column.mean, column.nonFinite.size]).toEqual([[4, 5], [1, 3], 0]);
    expect(append(column, 4, 9)).toBe(false);
    expect(column.mean).toEqual([1, 3]);
  });

  it("goes on from what the server sent", () => {
    const column = columnOf({
      width: 4,
      from: [0, 4],
      mean: [1, 2],
      min: [0, 2],
      max: [3, 2],
      nonFinite: [[1, 1, "NaN"]],
    });
    append(column, 5, 4);
    append(column, 6, Number.POSITIVE_INFINITY);
    expect([column.min[1], column.max[1], column.nonFinite.get(1)]).toEqual([2, 4, { count: 2, last: Infinity }]);
  });
});

it("smoothing has no bias at the start, leaves gaps, and does nothing with a weight of 0", () => {
  expect(smoothed([2, 2, null, 2], 0.9)).toEqual([2, expect.closeTo(2, 12), null, expect.closeTo(2, 12)]);
  expect(smoothed([1, 3], 0.5)[1]).toBeCloseTo((0.25 * 1 + 0.5 * 3) / 0.75, 12);
  expect(smoothed([1, 3], 0)).toEqual([1, 3]);
});
