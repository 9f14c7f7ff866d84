/**
 * The rows that each optimizer step trains on: a function of the step's number only, so that a run can resume in mid-epoch.
 *
 * A step takes rows of all lengths: if it took rows of one length, it would see one kind of row and learn badly. Instead, stages sort by
 * length within a step when they split it into passes.
 */
import { random } from "../util/random.ts";

export interface StepIndicesOptions {
  readonly rows: number;
  readonly batchSize: number;
  readonly seed: number;
  /** The step, counted from 0. */
  readonly step: number;
}

/**
 * The indices of `batchSize` rows. Steps walk through epoch after epoch, each a fresh permutation of all rows; if `batchSize` does not
 * divide `rows`, a batch takes the end of one epoch and the start of the next.
 */
export function stepIndices({ rows, batchSize, seed, step }: StepIndicesOptions): number[] {
  if (rows < 1 || batchSize < 1) throw new RangeError(`cannot take batches of ${batchSize} from ${rows} rows`);
  const indices: number[] = [];
  for (let position = step * batchSize; indices.length < batchSize; ) {
    const epoch = Math.floor(position / rows);
    const from = position - epoch * rows;
    const part = epochOrder(rows, seed, epoch).slice(from, from + batchSize - indices.length);
    indices.push(...part);
    position += part.length;
  }
  return indices;
}

/** The last epoch's order, cached because a run asks for the same epoch step after step; the cache never changes the answer. */
let last: { rows: number; seed: number; epoch: number; order: number[] } | undefined;

function epochOrder(rows: number, seed: number, epoch: number): number[] {
  if (last?.rows === rows && last.seed === seed && last.epoch === epoch) return last.order;
  const order = random(seed, "epoch", epoch).shuffle(Array.from({ length: rows }, (_, index) => index));
  last = { rows, seed, epoch, order };
  return order;
}
