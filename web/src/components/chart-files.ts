/** Exports a chart as a picture and as a table. */
import type uPlot from "uplot";
import type { Column } from "../state/column.ts";
import type { Line } from "./chart-rows.ts";
import { type Cell, csvTable } from "./table-files.ts";

export interface CsvOptions {
  readonly lines: readonly Pick<Line, "label" | "name" | "column" | "band">[];
  /** Heading of the horizontal axis. */
  readonly across?: string;
  /** The shown part; `to` is exclusive. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

/**
 * The chart as CSV: the position (of a bucket, its first), then each line's value, min and max, the ends of its band, and the number of values that
 * are not finite.
 */
export function csvOf({ lines, across = "iteration", from = 0, to = Number.POSITIVE_INFINITY }: CsvOptions): string {
  const columns = lines
    .flatMap(({ label, name = label, column, band }): [string, Column | undefined, (i: number) => Cell][] => [
      [name, column, (i) => column.mean[i] ?? column.nonFinite.get(i)?.last],
      [`${name} min`, column, (i) => column.min[i]],
      [`${name} max`, column, (i) => column.max[i]],
      [`${name} low`, band?.low, (i) => band?.low.min[i]],
      [`${name} high`, band?.high, (i) => band?.high.max[i]],
      [`${name} not finite`, column.nonFinite.size > 0 ? column : undefined, (i) => column.nonFinite.get(i)?.count],
    ])
    .filter(([, column]) => column !== undefined);
  const places = [...new Set(lines.flatMap(({ column }) => column.from))].filter((at) => at >= from && at < to);
  return csvTable({
    columns: [across, ...columns.map(([name]) => name)],
    rows: places
      .sort((a, b) => a - b)
      .map((at) => [at, ...columns.map(([, column, value]) => value(column!.from.indexOf(at)))]),
  });
}

export function save(name: string, type: string, content: string | Blob): void {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name.replace(/[^\w.-]+/g, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/** Saves the chart as drawn, on its own background, with its title, unit and the names of its lines. */
export function savePicture(
  plot: uPlot | null,
  { name, unit, lines }: { readonly name: string; readonly unit: string | undefined; readonly lines: readonly Line[] },
): void {
  if (plot === null) return;
  const { canvas } = plot.ctx;
  const style = getComputedStyle(plot.root);
  const pixel = devicePixelRatio;
  const head = 26 * pixel;
  const picture = document.createElement("canvas");
  picture.width = canvas.width;
  picture.height = canvas.height + head;
  const ctx = picture.getContext("2d")!;
  ctx.fillStyle = style.getPropertyValue("--raised").trim() || "#fff";
  ctx.fillRect(0, 0, picture.width, picture.height);
  let x = 8 * pixel;
  const write = (text: string, font: string, colour: string) => {
    ctx.font = `${font} ${12 * pixel}px ${style.fontFamily}`;
    ctx.fillStyle = colour;
    ctx.fillText(text, x, 17 * pixel);
    x += ctx.measureText(text).width + 10 * pixel;
  };
  write(name, "600", style.color);
  if (unit !== undefined) write(unit, "400", style.color);
  if (lines.length > 1)
    for (const { label, name = label, colour } of lines)
      write(`– ${name}`, "400", style.getPropertyValue(colour).trim());
  ctx.drawImage(canvas, 0, head);
  picture.toBlob((blob) => blob && save(`${name}.png`, "image/png", blob));
}
