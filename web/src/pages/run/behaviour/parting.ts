/** Finds where the reward and its purpose diverge: the reward keeps rising while a gold check falls. */
import type { Estimate } from "../../../../../src/types/evaluation.ts";
import type { BehaviourPoint } from "../../../../../src/types/page.ts";

export interface Parting {
  /** A gold check; null is the mean of all. */
  readonly check: string | null;
  readonly iteration: number;
  readonly now: Estimate;
  /** The earlier point at which the check was best. */
  readonly best: number;
  readonly was: Estimate;
}

/**
 * Points at which a check, or the mean of all, is below its best earlier point with its whole 95% interval, although the score is higher than it was
 * there: over-optimisation (Gao, Schulman and Hilton, 2023, arXiv:2210.10760). The mean by itself would hide a check that is lost in favour of
 * others; intervals must be apart because the best of many points is partly best by chance.
 */
export function partings(points: readonly BehaviourPoint[]): Parting[] {
  const names = [...new Set(points.flatMap(({ checks }) => Object.keys(checks)))];
  return [null, ...names].flatMap((check) => partingsOf(points, check));
}

function partingsOf(points: readonly BehaviourPoint[], check: string | null): Parting[] {
  const found: Parting[] = [];
  let best: { readonly point: BehaviourPoint; readonly estimate: Estimate } | null = null;
  for (const point of points) {
    const estimate = check === null ? point.gold : point.checks[check];
    if (estimate === null || estimate === undefined || point.score === null) continue;
    if (best !== null && estimate.high < best.estimate.low && Number(point.score) > Number(best.point.score)) {
      const { point: before, estimate: was } = best;
      found.push({ check, iteration: point.iteration, now: estimate, best: before.iteration, was });
    }
    if (best === null || estimate.low > best.estimate.low) best = { point, estimate };
  }
  return found;
}
