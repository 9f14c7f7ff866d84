/** Finds the numbers of a table to draw: columns whose cells are a mean with an interval. Pure. */
import type { DotShape, Interval } from "../../components/intervals.tsx";
import type { PlainTable } from "../../components/table-files.ts";

export interface Picture {
  /** Titles of the drawn columns, each with its shape. */
  readonly series: readonly { readonly title: string; readonly shape: DotShape; readonly colour: string }[];
  /** One row for each of the table's that has a dot. */
  readonly rows: readonly { readonly label: string; readonly items: readonly Interval[] }[];
}

/** Hue means run, so only the shape distinguishes columns here. */
const shapes: readonly DotShape[] = ["ring", "dot", "diamond", "square"];

/** The pictures of a table: one, one for each column if their units differ, or none. */
export function picturesOf(table: PlainTable & { readonly picture?: "apart" | "none" | undefined }): Picture[] {
  const { columns, rows, picture } = table;
  if (picture === "none") return [];
  if (picture === undefined) return [pictureOf(table)].flatMap((one) => one ?? []);
  return columns.flatMap((title, column) => {
    const own = rows.map((row) => [row[0] ?? "", row[column] ?? ""]);
    return column === 0 ? [] : (pictureOf({ columns: ["", title], rows: own }) ?? []);
  });
}

/** The picture of a table; null if no column has intervals in most of its cells. */
export function pictureOf({ columns, rows }: PlainTable): Picture | null {
  const drawn = columns.flatMap((title, column) => {
    const found = rows.filter((row) => intervalIn(row[column] ?? "") !== null).length;
    return column > 0 && rows.length > 0 && found > rows.length / 2 ? [{ title, column }] : [];
  });
  if (drawn.length === 0) return null;
  const series = drawn.map(({ title }, i) => ({
    title,
    shape: shapes[i % shapes.length]!,
    colour: i === 0 ? "--quiet" : "--text",
  }));
  return {
    series,
    rows: rows.flatMap((row) => {
      const items = drawn.flatMap(({ column }, i) => {
        const found = intervalIn(row[column] ?? "");
        const { title, shape, colour } = series[i]!;
        return found === null ? [] : [{ ...found, label: title, shape, colour }];
      });
      return items.length === 0 ? [] : [{ label: row[0] ?? "", items }];
    }),
  };
}

/** Parses an interval: `83.8±3.2`, `+2.1±0.8`, `83.8% ± 3.2` or `83.8 [80.6, 87.0]`. */
export function intervalIn(
  text: string,
): { readonly mean: number; readonly low: number; readonly high: number } | null {
  const plain = text.trim().replaceAll("−", "-").replaceAll("%", "");
  const number = String.raw`([-+]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)`;
  const half = new RegExp(String.raw`^${number}\s*(?:±|\+/-)\s*${number}$`, "i").exec(plain);
  if (half) {
    const [mean, width] = [Number(half[1]), Number(half[2])];
    return { mean, low: mean - width, high: mean + width };
  }
  const ends = new RegExp(String.raw`^${number}\s*\[\s*${number}\s*,\s*${number}\s*\]$`, "i").exec(plain);
  return ends && { mean: Number(ends[1]), low: Number(ends[2]), high: Number(ends[3]) };
}

/** Whether a column's cells are numbers, possibly with signs, units and intervals, and so are aligned right. */
export function isNumeric(rows: PlainTable["rows"], column: number): boolean {
  const cells = rows
    .map((row) => row[column]?.trim() ?? "")
    .filter((text) => text !== "" && text !== "-" && text !== "–");
  return cells.length > 0 && cells.every((text) => /^[-−+]?[\d.]+([±%/e\s.\d[\],−-]|x)*$/.test(text));
}
