/** Collapse: the gold check under half its best for five iterations. */

export interface GoldPoint {
  readonly iteration: number;
  /** A share, or anything of which more is better and 0 is nothing. */
  readonly value: number;
}

const lasting = 5;

/**
 * The iteration in which a run collapsed: the first of measurements in a row, over five iterations or more, that are all
 * under half of the best before them; null where there is none. A measurement that is NaN is no measurement.
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
