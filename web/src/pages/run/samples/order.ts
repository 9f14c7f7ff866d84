/** Samples in the order that a person asked for. */
import type { PageSample } from "../../../../../src/types/page.ts";
import type { Sort } from "./view-state.ts";

/** A number that is not finite comes first either way: it is what to look at. */
export function ordered(
  samples: readonly PageSample[],
  { sort, descending }: { readonly sort: Sort; readonly descending: boolean },
): readonly PageSample[] {
  if (sort === "") return samples;
  const sign = descending ? -1 : 1;
  return [...samples].sort((a, b) => {
    const [x, y] = [Number(a[sort]), Number(b[sort])];
    if (Number.isFinite(x) && Number.isFinite(y)) return sign * (x - y);
    return Number(Number.isFinite(x)) - Number(Number.isFinite(y));
  });
}

/** Of iterations that have samples, the place of the one at or before; the first where there is none before. */
export function placeOf(iterations: readonly number[], iteration: number | null): number {
  if (iteration === null) return iterations.length - 1;
  return Math.max(
    0,
    iterations.findLastIndex((one) => one <= iteration),
  );
}
