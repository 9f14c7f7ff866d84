/** Token weights that turn a weighted sum into the mean a loss asks for, however its batch is split (docs/PPO.md row 12). */
import { checkSameShape, isValid, type Mask, mapRows, type Rows, validRows } from "./token-rows.ts";

export type Aggregation = "token-mean" | "sequence-mean" | "sequence-sum";

/**
 * Weights w for every token of one optimizer step. The sum of w x is, for `token-mean`, the mean of x over all valid tokens; for
 * `sequence-mean`, the mean over non-empty sequences of their token means; for `sequence-sum`, the mean of their token sums. Masked tokens
 * get 0.
 * The rows are those of the WHOLE step: slice the result for micro-batches, and their sums add up to the mean.
 *
 * @example
 * tokenWeights({ lengths: [3, 1], aggregation: "sequence-mean" }); // [[1/6, 1/6, 1/6], [1/2]]
 */
export function tokenWeights(
  options: { readonly aggregation: Aggregation } & (
    | { readonly lengths: readonly number[]; readonly mask?: undefined }
    | { readonly mask: Mask; readonly lengths?: undefined }
  ),
): number[][] {
  const { mask, aggregation } = options;
  const counts_B = mask ? validRows(mask, mask).map((row) => row.length) : options.lengths;
  const tokens = counts_B.reduce((a, b) => a + b, 0);
  const sequences = counts_B.filter((count) => count > 0).length;
  const weightOf: Readonly<Record<Aggregation, (count: number) => number>> = {
    "token-mean": () => 1 / tokens,
    "sequence-mean": (count) => 1 / (sequences * count),
    "sequence-sum": () => 1 / sequences,
  };
  const weights_B = counts_B.map(weightOf[aggregation]);
  if (mask) return mapRows(mask, mask, (_, b) => weights_B[b]!);
  return options.lengths.map((length, b) => new Array<number>(length).fill(weights_B[b]!));
}

/** The sum of w x over tokens with a nonzero weight. */
export function weightedSum(rows_B_T: Rows, weights_B_T: Rows): number {
  checkSameShape({ rows: rows_B_T, weights: weights_B_T });
  let total = 0;
  rows_B_T.forEach((row, b) => {
    row.forEach((x, t) => {
      if (isValid(weights_B_T, b, t)) total += x * weights_B_T[b]![t]!;
    });
  });
  return total;
}
