/** How often neighbouring tokens' advantages change sign, beside what chance would give. */
import { type Mask, type Rows, validRows } from "./token-rows.ts";

/**
 * Share of neighbouring valid tokens (masked ones carried over) whose signs differ, and the share that independent signs
 * would give, 2 p (1 - p), with p the share of positive tokens. Zeros have no sign and are left out. NaN without a pair.
 */
export function signFlipRate(rows_B_T: Rows, mask_B_T?: Mask): { rate: number; chance: number } {
  let pairs = 0;
  let flips = 0;
  let positive = 0;
  let signed = 0;
  for (const row of validRows(rows_B_T, mask_B_T)) {
    let previous = 0;
    for (const sign of row.map(Math.sign)) {
      if (sign === 0 || Number.isNaN(sign)) continue;
      signed++;
      if (sign > 0) positive++;
      if (previous !== 0) {
        pairs++;
        if (sign !== previous) flips++;
      }
      previous = sign;
    }
  }
  const p = positive / signed;
  return { rate: flips / pairs, chance: 2 * p * (1 - p) };
}
