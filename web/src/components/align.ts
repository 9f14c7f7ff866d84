/** Aligns columns with different iterations on one axis. */
import type { Column } from "../state/column.ts";

/** A value; null is a gap in the line; undefined is an iteration at which this line has no point. */
export type Cell = number | null | undefined;

export interface Row {
  readonly column: Column;
  /** One value for each of the column's buckets. */
  readonly values: readonly (number | null)[];
  /** Whether a value holds until the next one, however far away. */
  readonly holds?: boolean;
}

export interface Aligned {
  readonly x: number[];
  /** One row for each given row, as long as `x`. */
  readonly rows: Cell[][];
}

/**
 * Aligns rows. A line has a gap if two values are more than one and a half times its usual step apart, and at values that are not finite; a metric
 * measured every ten iterations has none in between.
 */
export function align(rows: readonly Row[]): Aligned {
  const columns = [...new Set(rows.map(({ column }) => column))];
  const held = new Set(rows.filter(({ holds }) => holds).map(({ column }) => column));
  const gaps = new Map(columns.map((column) => [column, held.has(column) ? [] : gapsOf(column)]));
  const [first] = columns;
  // The usual case, in a chart that is often redrawn.
  if (first !== undefined && columns.every((column) => gaps.get(column)!.length === 0 && sameSteps(column, first)))
    return { x: [...first.from], rows: rows.map(({ values }) => [...values]) };
  const x = [...new Set(columns.flatMap((column) => [...column.from, ...gaps.get(column)!]))].sort((a, b) => a - b);
  const place = new Map(x.map((iteration, i) => [iteration, i]));
  const aligned = rows.map(({ column, values }) => {
    const row = new Array<Cell>(x.length).fill(undefined);
    column.from.forEach((iteration, i) => {
      row[place.get(iteration)!] = values[i] ?? null;
    });
    for (const iteration of gaps.get(column)!) row[place.get(iteration)!] ??= null;
    return row;
  });
  return { x, rows: aligned };
}

function sameSteps({ from }: Column, other: Column): boolean {
  return from.length === other.from.length && from.every((iteration, i) => iteration === other.from[i]);
}

/** Iterations at which to break the line. */
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
