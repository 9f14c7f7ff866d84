/** What an evaluation saw fall: gold checks that are clearly lower after online training than before. */
import type { Evaluation } from "../types/evaluation.ts";

/** The metric of a fallen check: `evaluation/fall/sums`. */
export const fallPrefix = "evaluation/fall/";

/** How far each gold check fell (a share, above 0), if the 95% interval of its paired change lies below 0; the largest fall first. */
export function clearFalls({ shares, differences }: Pick<Evaluation, "shares" | "differences">): [string, number][] {
  return shares
    .flatMap((name): [string, number][] => {
      const change = differences[name];
      return change !== undefined && change.high < 0 ? [[name, -change.difference]] : [];
    })
    .sort(([, a], [, b]) => b - a);
}
