/** How often the advantages of neighbouring tokens change sign, compared with chance. */
import { type Mask, type Rows, validRows } from "./token-rows.ts";

/**
 * Share of neighbouring valid tokens (masked ones are skipped) whose signs differ, and the share expected of independent signs, 2 p (1 -
 * p), with p the share of positive tokens. Zeros have no sign and are left out. NaN if there is no pair.
 */
export function signFlipRate(rows_B_T: Rows, mask_B_T?: Mask): { rate: number; chance: number } {
  let pairs = 0;
  let flips = 0;
  let positive = 0;
  let signed = 0;
  for (const row of validRows(rows_B_T, mask_B_T)) {
    let previous = 0;
    for (const x of row) {
      const sign = Math.sign(x);
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
