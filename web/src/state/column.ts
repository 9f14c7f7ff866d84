/** One metric over iterations as charts read it: columns from the server, and additions from the stream. */
import type { SeriesColumns } from "../../../src/types/page.ts";

export interface Column {
  /** Iterations in a bucket. */
  width: number;
  /** First iteration of each bucket. */
  readonly from: number[];
  /** Mean of finite values; null if a bucket has none. */
  readonly mean: (number | null)[];
  readonly min: (number | null)[];
  readonly max: (number | null)[];
  /** Buckets with values that are not finite: their number, and the last one. */
  readonly nonFinite: Map<number, { readonly count: number; readonly last: number }>;
}

export function columnOf({ width, from, mean, min, max, nonFinite }: SeriesColumns): Column {
  return {
    width,
    from: [...from],
    mean: [...mean],
    min: [...(min ?? mean)],
    max: [...(max ?? mean)],
    nonFinite: new Map(nonFinite.map(([index, count, last]) => [index, { count, last: Number(last) }])),
  };
}

export function emptyColumn(): Column {
  return { width: 1, from: [], mean: [], min: [], max: [], nonFinite: new Map() };
}

/**
 * Adds one iteration's value at the end. False if the column is already past that iteration: a newer attempt is repeating it, and everything must be
 * fetched again.
 */
export function append(column: Column, iteration: number, value: number): boolean {
  const bucket = Math.floor(iteration / column.width) * column.width;
  const last = column.from.length - 1;
  const newest = column.from[last];
  if (newest !== undefined && bucket < newest) return false;
  // The stream may send an iteration twice: with a width of 1 the newest value holds.
  if (newest !== bucket || column.width === 1) {
    const index = newest === bucket ? last : last + 1;
    const finite = Number.isFinite(value) ? value : null;
    column.from[index] = bucket;
    column.mean[index] = finite;
    column.min[index] = finite;
    column.max[index] = finite;
    if (finite === null) column.nonFinite.set(index, { count: 1, last: value });
    else column.nonFinite.delete(index);
    return true;
  }
  if (!Number.isFinite(value)) {
    column.nonFinite.set(last, { count: (column.nonFinite.get(last)?.count ?? 0) + 1, last: value });
    return true;
  }
  const seen = Math.max(0, iteration - bucket);
  const mean = column.mean[last] ?? null;
  column.mean[last] = mean === null ? value : mean + (value - mean) / (seen + 1);
  column.min[last] = Math.min(column.min[last] ?? value, value);
  column.max[last] = Math.max(column.max[last] ?? value, value);
  return true;
}

/** Newest value, finite or not; undefined for an empty column. */
export function lastOf({ mean, nonFinite }: Column): number | undefined {
  const index = mean.length - 1;
  if (index < 0) return undefined;
  return mean[index] ?? nonFinite.get(index)?.last ?? Number.NaN;
}

/** Exponential smoothing, unbiased at the start (like Adam's averages); values that are not finite are left out and stay gaps. */
export function smoothed(values: readonly (number | null)[], weight: number): (number | null)[] {
  if (!(weight > 0)) return [...values];
  let average = 0;
  let total = 0;
  return values.map((value) => {
    if (value === null) return null;
    average = weight * average + (1 - weight) * value;
    total = weight * total + (1 - weight);
    return average / total;
  });
}
