/** Ragged rows of per-token numbers, and the mask that says which of them count. */

/** B rows (sequences), each with its own number of tokens. */
export type Rows = readonly (readonly number[])[];

/**
 * A mask with the shape of `Rows`: 1 if a token counts, 0 if it is padding or text that the policy did not write. Without a mask all tokens
 * count.
 */
export type Mask = Rows;

export function isValid(mask: Mask | undefined, b: number, t: number): boolean {
  return mask === undefined || mask[b]![t] !== 0;
}

/** Maps each token's number to a number; masked tokens get 0, whatever they hold (padding may hold NaN). */
export function mapRows(
  rows: Rows,
  mask: Mask | undefined,
  f: (x: number, b: number, t: number) => number,
): number[][] {
  return rows.map((row, b) => {
    const mapped = new Array<number>(row.length);
    for (let t = 0; t < row.length; t++) mapped[t] = isValid(mask, b, t) ? f(row[t]!, b, t) : 0;
    return mapped;
  });
}

/** The valid tokens' numbers of all rows, in order, as one list. */
export function validValues(rows: Rows, mask?: Mask): number[] {
  const values: number[] = [];
  for (const row of validRows(rows, mask)) for (let t = 0; t < row.length; t++) values.push(row[t]!);
  return values;
}

/** The valid tokens' numbers, row by row: without a mask the rows themselves. */
export function validRows(rows: Rows, mask?: Mask): Rows {
  return mask === undefined ? rows : rows.map((row, b) => row.filter((_, t) => isValid(mask, b, t)));
}

/** Throws a RangeError with both sizes unless all rows have the shape of the first; `undefined` is skipped. */
export function checkSameShape(named: Readonly<Record<string, Rows | undefined>>): void {
  const [first, ...rest] = Object.entries(named).filter((entry): entry is [string, Rows] => entry[1] !== undefined);
  if (first === undefined) return;
  const [name, rows] = first;
  for (const [otherName, other] of rest) {
    if (other.length !== rows.length)
      throw new RangeError(`${otherName} has ${other.length} rows where ${name} has ${rows.length}`);
    for (let b = 0; b < rows.length; b++) {
      if (other[b]!.length !== rows[b]!.length)
        throw new RangeError(
          `row ${b} of ${otherName} has ${other[b]!.length} tokens where ${name} has ${rows[b]!.length}`,
        );
    }
  }
}

/** Throws a RangeError with both lengths unless the lists are equally long. */
export function checkSameLength(named: Readonly<Record<string, readonly unknown[]>>): void {
  const [first, ...rest] = Object.entries(named);
  if (first === undefined) return;
  for (const [name, list] of rest) {
    if (list.length !== first[1].length)
      throw new RangeError(`${name} has ${list.length} entries where ${first[0]} has ${first[1].length}`);
  }
}
