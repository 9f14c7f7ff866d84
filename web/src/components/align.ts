/** Puts columns with iterations of their own onto one axis. */
import type { Column } from "../state/column.ts";

/** A value; null is a gap in the line; undefined is an iteration that this line has no business with. */
export type Cell = number | null | undefined;

export interface Aligned {
  readonly x: number[];
  /** One row for each of `rows`, as long as `x`. */
  readonly rows: Cell[][];
}

/**
 * A line has a gap where more than one and a half times its usual step lies between two values, and where a value is not finite; what is measured
 * every ten iterations has none in between.
 */
export function align(columns: readonly Column[], rows: readonly (readonly (readonly (number | null)[])[])[]): Aligned {
  const gaps = columns.map(gapsOf);
  const x = [...new Set([...columns.flatMap(({ from }) => from), ...gaps.flat()])].sort((a, b) => a - b);
  const place = new Map(x.map((iteration, i) => [iteration, i]));
  const aligned = columns.flatMap(({ from }, c) =>
    rows[c]!.map((values) => {
      const row = new Array<Cell>(x.length).fill(undefined);
      from.forEach((iteration, i) => {
        row[place.get(iteration)!] = values[i] ?? null;
      });
      for (const iteration of gaps[c]!) row[place.get(iteration)!] ??= null;
      return row;
    }),
  );
  return { x, rows: aligned };
}

/** Iterations at which the line is to be broken. */
function gapsOf({ from, width }: Column): number[] {
  const steps = from.slice(1).map((iteration, i) => iteration - from[i]!);
  const usual = Math.max(width, median(steps));
  return steps.flatMap((step, i) => (step > 1.5 * usual ? [from[i]! + usual] : []));
}

function median(values: readonly number[]): number {
  if (values.length === 0) return 1;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}
