/** Statistics of the valid tokens of ragged rows, without a list of them. Every sum runs in the order of the tokens: it has the bits of that of the list. */
import { type Mask, type Rows, validRows } from "./token-rows.ts";

/** The number of valid tokens. */
export function tokenCount(rows: Rows, mask?: Mask): number {
  let count = 0;
  for (const row of validRows(rows, mask)) count += row.length;
  return count;
}

/** The number of valid tokens whose number is not finite. */
export function nonFiniteCount(rows: Rows, mask?: Mask): number {
  let count = 0;
  for (const row of validRows(rows, mask)) for (let t = 0; t < row.length; t++) if (!Number.isFinite(row[t]!)) count++;
  return count;
}

/** The mean over all valid tokens of the numbers, or of their absolute values; NaN if there are none. */
export function tokenMean(rows: Rows, mask?: Mask, { absolute = false } = {}): number {
  let [total, count] = [0, 0];
  for (const row of validRows(rows, mask)) {
    for (let t = 0; t < row.length; t++) total += absolute ? Math.abs(row[t]!) : row[t]!;
    count += row.length;
  }
  return total / count;
}

/** The mean over all valid tokens; of equal values exactly their value, from which a rounded mean may differ in its last bit and give them a spread. */
export function tokenCenter(rows: Rows, mask?: Mask): number {
  const valid = validRows(rows, mask);
  const first = valid.find((row) => row.length > 0)?.[0];
  let [total, count, equal] = [0, 0, true];
  for (const row of valid) {
    for (let t = 0; t < row.length; t++) {
      total += row[t]!;
      if (row[t] !== first) equal = false;
    }
    count += row.length;
  }
  return equal && first !== undefined ? first : total / count;
}

/** The variance over all valid tokens: biased (divided by n) by default; with `unbiased` it is divided by n - 1 and is NaN for one value. */
export function tokenVariance(rows: Rows, mask?: Mask, options: { readonly unbiased?: boolean } = {}): number {
  const center = tokenCenter(rows, mask);
  let [squares, count] = [0, 0];
  for (const row of validRows(rows, mask)) {
    for (let t = 0; t < row.length; t++) squares += (row[t]! - center) ** 2;
    count += row.length;
  }
  return squares / (options.unbiased ? count - 1 : count);
}

export function tokenDeviation(rows: Rows, mask?: Mask, options: { readonly unbiased?: boolean } = {}): number {
  return Math.sqrt(tokenVariance(rows, mask, options));
}
