/** Collapse: the gold check is under half its best for five iterations. */

export interface GoldPoint {
  readonly iteration: number;
  /** A share, or any figure of which more is better and 0 is the minimum. */
  readonly value: number;
}

const lasting = 5;

/**
 * The iteration in which a run collapsed: the first of consecutive measurements over at least five iterations that are all under half of the best
 * before them; null if there is none. NaN measurements are ignored.
 */
export function collapsed(gold: readonly GoldPoint[]): number | null {
  let best = Number.NEGATIVE_INFINITY;
  let since: number | null = null;
  for (const { iteration, value } of gold) {
    if (Number.isNaN(value)) continue;
    if (best > 0 && value < 0.5 * best) {
      since ??= iteration;
      if (iteration - since + 1 >= lasting) return since;
    } else {
      since = null;
      best = Math.max(best, value);
    }
  }
  return null;
}
