/** Samples in the order that the user chose. */
import type { PageSample } from "../../../../../src/types/page.ts";
import type { Sort } from "./view-state.ts";

/** Sorted samples; a score that is not finite always comes first, because it needs attention. */
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

/** The index of the last iteration with samples at or before the given one; of the first if there is none. */
export function placeOf(iterations: readonly number[], iteration: number | null): number {
  if (iteration === null) return iterations.length - 1;
  return Math.max(
    0,
    iterations.findLastIndex((one) => one <= iteration),
  );
}
