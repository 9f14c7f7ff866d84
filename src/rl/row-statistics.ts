/** Statistics of the valid tokens of ragged rows, without a list of them. Every sum runs in the order of the tokens: it has the bits of that of the list. */
import { type Mask, type Rows, validRows } from "./token-rows.ts";

/** Calls `f` with each valid token's number, in order. */
export function eachValid(rows: Rows, mask: Mask | undefined, f: (x: number) => void): void {
  for (const row of mask === undefined ? rows : validRows(rows, mask)) {
    for (let t = 0; t < row.length; t++) f(row[t]!);
  }
}

/** The number of valid tokens, or of those that `which` holds for. */
export function tokenCount(rows: Rows, mask?: Mask, which?: (x: number) => boolean): number {
  let count = 0;
  eachValid(rows, mask, (x) => {
    if (which === undefined || which(x)) count++;
  });
  return count;
}

/** The mean over all valid tokens of the numbers, or of `f` of them; NaN if there are none. */
export function tokenMean(rows: Rows, mask?: Mask, f: (x: number) => number = (x) => x): number {
  let [total, count] = [0, 0];
  eachValid(rows, mask, (x) => {
    total += f(x);
    count++;
  });
  return total / count;
}

/** The mean over all valid tokens; of equal values exactly their value, from which a rounded mean may differ in its last bit and give them a spread. */
export function tokenCenter(rows: Rows, mask?: Mask): number {
  let [total, count, first, equal] = [0, 0, Number.NaN, true];
  eachValid(rows, mask, (x) => {
    total += x;
    if (count++ === 0) first = x;
    else if (x !== first) equal = false;
  });
  return equal && !Number.isNaN(first) ? first : total / count;
}

/** The variance over all valid tokens: biased (divided by n) by default; with `unbiased` it is divided by n - 1 and is NaN for one value. */
export function tokenVariance(rows: Rows, mask?: Mask, options: { readonly unbiased?: boolean } = {}): number {
  const center = tokenCenter(rows, mask);
  let [squares, count] = [0, 0];
  eachValid(rows, mask, (x) => {
    squares += (x - center) ** 2;
    count++;
  });
  return squares / (options.unbiased ? count - 1 : count);
}

export function tokenDeviation(rows: Rows, mask?: Mask, options: { readonly unbiased?: boolean } = {}): number {
  return Math.sqrt(tokenVariance(rows, mask, options));
}
