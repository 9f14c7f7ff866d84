/** The unit in which scores are judged. */

/**
 * The standard deviation of the first iteration's scores, when the policy was the reference; 1 if scores are within [0, 1] by their 5% and 95%
 * quantiles, or if that deviation is 0 or unknown (NaN).
 */
export function scoreUnitOf({ std, p5, p95 }: Readonly<Record<"std" | "p5" | "p95", number>>): number {
  return (p5 >= 0 && p95 <= 1) || !(std > 0) ? 1 : std;
}
