/** How much of the returns the values explain (docs/PPO.md row 14). */

import { mean, variance } from "./statistics.ts";
import { checkSameLength } from "./token-rows.ts";

/**
 * 1 - var(R - V) / var(R), and 1 - mean((V - R)^2) / var(R), which also falls with a constant bias of the values. Variances are biased and
 * taken over all given tokens. Constant returns give NaN.
 */
export function explainedVariance(
  returns_N: readonly number[],
  values_N: readonly number[],
): { explainedVariance: number; withBias: number } {
  checkSameLength({ returns: returns_N, values: values_N });
  const errors = returns_N.map((r, i) => r - values_N[i]!);
  const spread = variance(returns_N);
  if (spread === 0) return { explainedVariance: NaN, withBias: NaN };
  return {
    explainedVariance: 1 - variance(errors) / spread,
    withBias: 1 - mean(errors.map((error) => error * error)) / spread,
  };
}
