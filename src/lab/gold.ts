/** The gold score of a model: the share of its samples that pass their prompt's gold check. */
import type { Evaluation } from "../types/evaluation.ts";

/** A gold score with its 95% interval. */
export interface Gold {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly samples: number;
}

const z95 = 1.96;

/**
 * The checks' shares, weighted by their samples. Each check has its own prompts, so their errors are independent; within one check, answers to the
 * same prompt are a cluster, as in the check's own interval.
 */
export function goldOf({ after: { figures }, shares }: Pick<Evaluation, "after" | "shares">): Gold {
  const checks = shares.map((name) => figures[name]!);
  const samples = checks.reduce((sum, { n }) => sum + n, 0);
  const mean = checks.reduce((sum, check) => sum + check.mean * (check.n / samples), 0);
  const variance = checks.reduce((sum, { low, high, n }) => {
    const error = (high - low) / (2 * z95);
    return sum + (error * (n / samples)) ** 2;
  }, 0);
  const half = z95 * Math.sqrt(variance);
  return { mean, low: mean - half, high: mean + half, samples };
}
