/** Columns over seconds of training instead of iterations. Pure. */
import type { Column } from "../../state/column.ts";

/**
 * The same values, each at the time when its bucket began: the sum of `time/total_s` up to there, so that pauses and abandoned iterations do not
 * count. Values after an unknown time are left out.
 */
export function overTime(column: Column, seconds: Column): Column {
  const clock = clockOf(seconds);
  const kept = column.from.flatMap((iteration, i) => {
    const at = clock(iteration);
    return Number.isNaN(at) ? [] : [{ i, at }];
  });
  const place = new Map(kept.map(({ i }, to) => [i, to]));
  const of = (values: readonly (number | null)[]) => kept.map(({ i }) => values[i] ?? null);
  return {
    // Each value holds until the next: iterations of different length leave no gaps.
    width: Number.POSITIVE_INFINITY,
    from: kept.map(({ at }) => at),
    mean: of(column.mean),
    min: of(column.min),
    max: of(column.max),
    nonFinite: new Map([...column.nonFinite].flatMap(([i, bad]) => (place.has(i) ? [[place.get(i)!, bad]] : []))),
  };
}

/** Seconds before an iteration began. */
function clockOf({ from, mean, width }: Column): (iteration: number) => number {
  const starts: number[] = [];
  let sum = 0;
  from.forEach((first, i) => {
    starts.push(sum);
    const until = from[i + 1] ?? first + width;
    sum += (mean[i] ?? Number.NaN) * Math.min(width, until - first);
  });
  return (iteration) => {
    const i = from.findLastIndex((first) => first <= iteration);
    if (i < 0) return from.length === 0 ? Number.NaN : 0;
    const since = Math.min(width, iteration - from[i]!);
    return since === 0 ? starts[i]! : starts[i]! + (mean[i] ?? Number.NaN) * since;
  };
}
