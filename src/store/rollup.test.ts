import { expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import {
  addValue,
  type Block,
  type Bucket,
  blockSize,
  closeBefore,
  emptyRollup,
  openBuckets,
  widthOf,
} from "./rollup.ts";

const values = fc.oneof(fc.integer({ min: -9, max: 9 }), fc.constantFrom(Number.NaN, Infinity, -Infinity));
const steps = fc.oneof({ weight: 8, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 700 }));

it("hands out every block and bucket behind the newest iteration once, with all of its values", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(steps, values), { minLength: 1, maxLength: 400 }), (pairs) => {
      const open = openBuckets();
      const blocks: Block[] = [];
      const buckets: Bucket[] = [];
      const rows: { iteration: number; value: number }[] = [];
      let iteration = -1;
      for (const [step, value] of pairs) {
        iteration += step;
        closeBefore(open, iteration, {
          block: (block) => blocks.push(block),
          bucket: (bucket) => buckets.push(bucket),
        });
        open.iterations.push(iteration);
        open.values.push(value);
        rows.push({ iteration, value });
      }

      const closed = Math.floor(iteration / blockSize) * blockSize;
      const behind = rows.filter((row) => row.iteration < closed);
      expect(blocks.flatMap((block) => block.iterations.map((n, i) => [n, block.values[i]]))).toEqual(
        behind.map((row) => [row.iteration, row.value]),
      );
      for (let level = 1; widthOf(level) <= iteration; level++) {
        const width = widthOf(level);
        const expected = new Map<number, ReturnType<typeof emptyRollup>>();
        for (const row of rows) {
          const bucket = Math.floor(row.iteration / width);
          if ((bucket + 1) * width > iteration) continue;
          if (!expected.has(bucket)) expected.set(bucket, emptyRollup());
          addValue(expected.get(bucket)!, row.value);
        }
        const found = buckets.filter((bucket) => bucket.level === level);
        expect(found.map(({ bucket, rollup }) => [bucket, rollup])).toEqual([...expected]);
      }
    }),
  );
});
