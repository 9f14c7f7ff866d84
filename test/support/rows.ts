/** Random ragged, masked rows for tests of per-token arithmetic. */
import { random } from "../../src/util/random.ts";

/** Rows of length 0 to 6, a mask with gaps, and normal entries. With `poison` the masked cells of each grid hold NaN. */
export function randomRows(seed: number, options: { count?: number; sequences?: number; poison?: boolean } = {}) {
  const { count = 3, sequences = 4, poison = false } = options;
  const stream = random("rows", seed);
  const lengths = Array.from({ length: sequences }, () => stream.integer(7));
  const mask = lengths.map((n) => Array.from({ length: n }, () => (stream.uniform() < 0.75 ? 1 : 0)));
  const grids = Array.from({ length: count }, () =>
    mask.map((row) => row.map((valid) => (poison && valid === 0 ? Number.NaN : stream.normal()))),
  );
  return { mask, grids, lengths };
}

/** Every valid (b, t), row by row: the loop for writing references. */
export function* validCells(mask: readonly (readonly number[])[]): Generator<[number, number]> {
  for (let b = 0; b < mask.length; b++) for (let t = 0; t < mask[b]!.length; t++) if (mask[b]![t] === 1) yield [b, t];
}
