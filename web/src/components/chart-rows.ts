/** The rows that a chart draws: for each line its raw values, the smoothed ones, and the two ends of its bands. */
import type uPlot from "uplot";
import { type Column, smoothed } from "../state/column.ts";
import { align, type Row } from "./align.ts";

export interface Line {
  readonly label: string;
  /** The line's name in files, if the label is not enough there. */
  readonly name?: string;
  readonly column: Column;
  /** The colour, as a custom property of the style sheet: `--run-1`. */
  readonly colour: string;
  readonly dashed?: boolean;
  /** The letter at the end of the line, which distinguishes it besides its hue. */
  readonly letter?: string;
  /** Whether a value holds until the next one. */
  readonly stepped?: boolean;
  /** An interval around the line: quantiles, or the uncertainty of a measurement. */
  readonly band?: { readonly low: Column; readonly high: Column };
}

export interface ChartRow extends Row {
  readonly line: Line;
  /** The kind of row; `high` and `low` are neighbours, and so are `most` and `least`. */
  readonly kind: "raw" | "smooth" | "high" | "low" | "most" | "least";
}

export interface RowOptions {
  readonly lines: readonly Line[];
  readonly smooth?: number;
  readonly log?: boolean;
}

export function rowsOf({ lines, smooth = 0, log = false }: RowOptions): ChartRow[] {
  const rows = lines.flatMap((line): ChartRow[] => {
    const { column, band } = line;
    return [
      ...(band === undefined
        ? []
        : [
            { line, kind: "high" as const, column: band.high, values: band.high.max },
            { line, kind: "low" as const, column: band.low, values: band.low.min },
          ]),
      ...(column.width === 1
        ? []
        : [
            { line, kind: "most" as const, column, values: column.max },
            { line, kind: "least" as const, column, values: column.min },
          ]),
      { line, kind: "raw", column, values: column.mean, ...(line.stepped && { holds: true }) },
      ...(smooth > 0 && canSmooth(line)
        ? [{ line, kind: "smooth" as const, column, values: smoothed(column.mean, smooth) }]
        : []),
    ];
  });
  return log ? rows.map((row) => ({ ...row, values: row.values.map(positive) })) : rows;
}

/** Whether a line may be smoothed: not if it is measured occasionally, so that each value counts, or stepped. */
function canSmooth({ column: { from, width }, stepped = false }: Line): boolean {
  const span = (from.at(-1) ?? 0) - (from[0] ?? 0);
  return !stepped && span / Math.max(1, from.length - 1) <= 2 * width;
}

/** A key for the kinds of rows: a chart whose key changes must be rebuilt. */
export function shapeOf(options: RowOptions): string {
  const rows = rowsOf(options).map(({ line: { label, colour, dashed, stepped }, kind }) =>
    [label, colour, dashed, stepped, kind].join(),
  );
  return `${options.log} ${rows.join(" ")}`;
}

export function dataOf(options: RowOptions): uPlot.AlignedData {
  const { x, rows } = align(rowsOf(options));
  return [x, ...rows] as uPlot.AlignedData;
}

/** Whether a value is off a logarithmic axis: it is then drawn at the bottom. */
export function isBelowLog(column: Column, index: number): boolean {
  const low = column.min[index];
  return low !== null && low !== undefined && low <= 0;
}

function positive(value: number | null): number | null {
  return value !== null && value > 0 ? value : null;
}
