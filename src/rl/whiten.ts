/** Whitening of advantages over all valid tokens of a rollout, never of a minibatch (docs/PPO.md row 6). */

import { tokenCount, tokenMean, tokenVariance } from "./row-statistics.ts";
import { checkSameShape, type Mask, mapRows, type Rows } from "./token-rows.ts";

export interface Whitened {
  /** (A - mean) / sqrt(var + 1e-8), with the unbiased variance; 0 for masked tokens. Unchanged if `count` is below 2. */
  readonly rows: number[][];
  readonly mean: number;
  /** Unbiased standard deviation; NaN if `count` is below 2. */
  readonly std: number;
  /** The number of valid tokens. */
  readonly count: number;
}

export function whiten(rows_B_T: Rows, mask_B_T?: Mask): Whitened {
  checkSameShape({ rows: rows_B_T, mask: mask_B_T });
  const count = tokenCount(rows_B_T, mask_B_T);
  const center = tokenMean(rows_B_T, mask_B_T);
  const spread = tokenVariance(rows_B_T, mask_B_T, { unbiased: true });
  const scale = Math.sqrt(spread + 1e-8);
  const rows = mapRows(rows_B_T, mask_B_T, (x) => (count < 2 ? x : (x - center) / scale));
  return { rows, mean: center, std: Math.sqrt(spread), count };
}
