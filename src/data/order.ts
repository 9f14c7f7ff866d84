/** Which rows each optimizer step trains on: a function of the step's number alone, so that a run resumes in mid-epoch. */
import { random } from "../util/random.ts";

export interface StepIndicesOptions {
  readonly rows: number;
  readonly batchSize: number;
  readonly seed: number;
  /** Counted from 0. */
  readonly step: number;
  /** Tokens of each row: makes batches of rows of similar length, in shuffled order. */
  readonly lengths?: readonly number[] | undefined;
}

/**
 * The indices of `batchSize` rows. Steps walk through epoch after epoch, each a fresh permutation of all rows; where
 * `batchSize` does not divide `rows`, a batch takes the end of one epoch and the start of the next.
 */
export function stepIndices({ rows, batchSize, seed, step, lengths }: StepIndicesOptions): number[] {
  if (rows < 1 || batchSize < 1) throw new RangeError(`cannot take batches of ${batchSize} from ${rows} rows`);
  const indices: number[] = [];
  for (let position = step * batchSize; indices.length < batchSize; ) {
    const epoch = Math.floor(position / rows);
    const from = position - epoch * rows;
    const part = epochOrder({ rows, batchSize, seed, lengths }, epoch).slice(from, from + batchSize - indices.length);
    indices.push(...part);
    position += part.length;
  }
  return indices;
}

type EpochOptions = Omit<StepIndicesOptions, "step">;

/** Remembered because a run asks for the same epoch step after step; what is remembered never changes the answer. */
let last: { options: EpochOptions; epoch: number; order: number[] } | undefined;

function epochOrder(options: EpochOptions, epoch: number): number[] {
  const { rows, batchSize, seed, lengths } = options;
  if (
    last?.epoch === epoch &&
    last.options.rows === rows &&
    last.options.seed === seed &&
    last.options.lengths === lengths &&
    (lengths === undefined || last.options.batchSize === batchSize)
  ) {
    return last.order;
  }
  const shuffled = random(seed, "epoch", epoch).shuffle(Array.from({ length: rows }, (_, index) => index));
  const order = lengths === undefined ? shuffled : bucketed(shuffled, lengths, options, epoch);
  last = { options, epoch, order };
  return order;
}

/** Batches among which rows are sorted by length: more makes batches tighter and less random. */
const bucketBatches = 32;

function bucketed(shuffled: number[], lengths: readonly number[], options: EpochOptions, epoch: number): number[] {
  const { rows, batchSize, seed } = options;
  // The rows before the first whole batch complete the one that the epoch before began.
  const lead = (batchSize - ((epoch * rows) % batchSize)) % batchSize;
  const whole = Math.max(0, Math.floor((rows - lead) / batchSize)) * batchSize;
  const batches: number[][] = [];
  for (let from = lead; from < lead + whole; from += bucketBatches * batchSize) {
    const bucket = shuffled.slice(from, Math.min(from + bucketBatches * batchSize, lead + whole));
    bucket.sort((a, b) => lengths[a]! - lengths[b]!);
    for (let at = 0; at < bucket.length; at += batchSize) batches.push(bucket.slice(at, at + batchSize));
  }
  const order = random(seed, "epoch", epoch, "batches").shuffle(batches).flat();
  return [...shuffled.slice(0, lead), ...order, ...shuffled.slice(lead + whole)];
}
