/**
 * Summaries of a series that are stored beside its rows as they are written: blocks, which hold the values of 16 iterations together, and rollups
 * (count, non-finite count, min, max, sum, last) of buckets of 64, 256, 1,024, ... iterations.
 *
 * Blocks and buckets are emitted once, when the run has passed them, and never change afterwards.
 */

/** Block b holds iterations [b * blockSize, (b + 1) * blockSize). */
export const blockSize = 16;

/** Buckets in a bucket of the next level. */
const fanOut = 4;

/** Iterations in a bucket of a level; level 0 is the blocks. */
export const widthOf = (level: number): number => blockSize * fanOut ** level;

export interface Rollup {
  /** Number of finite values. */
  count: number;
  nonFinite: number;
  /** Minimum of finite values; Infinity if there are none. */
  min: number;
  /** Maximum of finite values; -Infinity if there are none. */
  max: number;
  /** Sum of finite values. */
  sum: number;
  /** The newest value, finite or not. */
  last: number;
}

export interface Block {
  readonly block: number;
  /** Iterations in increasing order, aligned with `values`. */
  readonly iterations: readonly number[];
  readonly values: readonly number[];
}

export interface Bucket {
  readonly level: number;
  readonly bucket: number;
  readonly rollup: Rollup;
}

/** The part of a series that has not been emitted yet. */
export interface OpenBuckets {
  iterations: number[];
  values: number[];
  /** The open bucket of level 1, 2, ...; null if it is empty. */
  readonly levels: ({ readonly bucket: number; readonly rollup: Rollup } | null)[];
}

export interface Sink {
  readonly block: (block: Block) => void;
  readonly bucket: (bucket: Bucket) => void;
}

export function emptyRollup(): Rollup {
  return { count: 0, nonFinite: 0, min: Infinity, max: -Infinity, sum: 0, last: Number.NaN };
}

export function addValue(rollup: Rollup, value: number): void {
  rollup.last = value;
  if (!Number.isFinite(value)) {
    rollup.nonFinite++;
    return;
  }
  rollup.count++;
  rollup.sum += value;
  if (value < rollup.min) rollup.min = value;
  if (value > rollup.max) rollup.max = value;
}

/** Adds `later`, which must come after everything in `rollup`. */
export function addRollup(rollup: Rollup, later: Rollup): void {
  rollup.count += later.count;
  rollup.nonFinite += later.nonFinite;
  rollup.sum += later.sum;
  rollup.min = Math.min(rollup.min, later.min);
  rollup.max = Math.max(rollup.max, later.max);
  rollup.last = later.last;
}

export function openBuckets(): OpenBuckets {
  return { iterations: [], values: [], levels: [] };
}

/** Emits what ends at or before `iteration`, which the run has reached. Call it before adding a row of a later block. */
export function closeBefore(open: OpenBuckets, iteration: number, sink: Sink): void {
  if (open.values.length > 0) {
    const block = Math.floor(open.iterations[0]! / blockSize);
    if ((block + 1) * blockSize > iteration) return;
    const { iterations, values } = open;
    sink.block({ block, iterations, values });
    const rollup = emptyRollup();
    for (const value of values) addValue(rollup, value);
    addToLevel(open, { level: 1, bucket: Math.floor(block / fanOut), rollup });
    open.iterations = [];
    open.values = [];
  }
  for (let level = 1; level <= open.levels.length; level++) {
    const bucket = open.levels[level - 1];
    if (!bucket) continue;
    if ((bucket.bucket + 1) * widthOf(level) > iteration) return;
    open.levels[level - 1] = null;
    sink.bucket({ level, ...bucket });
    addToLevel(open, { level: level + 1, bucket: Math.floor(bucket.bucket / fanOut), rollup: bucket.rollup });
  }
}

function addToLevel({ levels }: OpenBuckets, { level, bucket, rollup }: Bucket): void {
  const open = levels[level - 1];
  if (open) addRollup(open.rollup, rollup);
  else levels[level - 1] = { bucket, rollup: { ...rollup } };
}
