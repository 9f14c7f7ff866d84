/** Tables in plain text, aligned by columns. */
import { cut, displayWidth, padEnd, padStart } from "./width.ts";

export interface Column {
  readonly title: string;
  /** Numbers are aligned right. */
  readonly align?: "left" | "right";
  /** The narrowest width to which this column may be cut if the table is too wide; without it, the column is never cut. */
  readonly shrinksTo?: number;
}

export interface TableOptions {
  readonly columns: readonly Column[];
  /** Rows of cells; coloured cells are not cut. */
  readonly rows: readonly (readonly string[])[];
  readonly width: number;
  /** Styles the heading line. */
  readonly heading?: (line: string) => string;
}

const GAP = 2;

/** Lines of the table. If it is wider than `width`, columns that may shrink are cut, the widest first. */
export function table({ columns, rows, width, heading = (line) => line }: TableOptions): string[] {
  const widths = columns.map((column, i) =>
    Math.max(displayWidth(column.title), ...rows.map((row) => displayWidth(row[i] ?? ""))),
  );
  let excess = widths.reduce((sum, w) => sum + w, 0) + GAP * (columns.length - 1) - width;
  while (excess > 0) {
    const i = widest(widths, columns);
    if (i === -1) break;
    widths[i] = (widths[i] as number) - 1;
    excess--;
  }
  const line = (cells: readonly string[]) =>
    columns
      .map((column, i) => {
        const columnWidth = widths[i] as number;
        const cell = column.shrinksTo === undefined ? (cells[i] ?? "") : cut(cells[i] ?? "", columnWidth);
        return column.align === "right" ? padStart(cell, columnWidth) : padEnd(cell, columnWidth);
      })
      .join(" ".repeat(GAP))
      .trimEnd();
  return [heading(line(columns.map((column) => column.title))), ...rows.map(line)];
}

function widest(widths: readonly number[], columns: readonly Column[]): number {
  let best = -1;
  for (const [i, { shrinksTo }] of columns.entries()) {
    const width = widths[i] as number;
    if (shrinksTo === undefined || width <= shrinksTo) continue;
    if (best === -1 || width > (widths[best] as number)) best = i;
  }
  return best;
}
