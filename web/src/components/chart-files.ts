/** A chart as a picture and as a table. */
import type uPlot from "uplot";
import type { Column } from "../state/column.ts";

/** Columns `iteration` (first of the bucket), then value, min and max of each line; what is not finite by its word. */
export function csvOf(lines: readonly { readonly label: string; readonly column: Column }[]): string {
  const iterations = [...new Set(lines.flatMap(({ column }) => column.from))].sort((a, b) => a - b);
  const places = lines.map(({ column }) => new Map(column.from.map((from, i) => [from, i])));
  const head = ["iteration", ...lines.flatMap(({ label }) => [label, `${label} min`, `${label} max`])];
  const rows = iterations.map((iteration) => [
    iteration,
    ...lines.flatMap(({ column }, c) => {
      const i = places[c]!.get(iteration);
      if (i === undefined) return ["", "", ""];
      return [column.mean[i] ?? column.nonFinite.get(i)?.last ?? "", column.min[i] ?? "", column.max[i] ?? ""];
    }),
  ]);
  return `${[head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
}

/** Quoted where it must be; a spreadsheet takes no text for a formula. */
export function cell(value: string | number): string {
  if (typeof value === "number") return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function save(name: string, type: string, content: string | Blob): void {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name.replace(/[^\w.-]+/g, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/** The chart as it is drawn, on its own ground, under its title. */
export function savePicture(plot: uPlot | null, name: string, title: string): void {
  if (plot === null) return;
  const { canvas } = plot.ctx;
  const style = getComputedStyle(plot.root);
  const head = 24 * devicePixelRatio;
  const picture = document.createElement("canvas");
  picture.width = canvas.width;
  picture.height = canvas.height + head;
  const ctx = picture.getContext("2d")!;
  ctx.fillStyle = style.getPropertyValue("--ground").trim() || "#fff";
  ctx.fillRect(0, 0, picture.width, picture.height);
  ctx.fillStyle = style.color;
  ctx.font = `600 ${13 * devicePixelRatio}px ${style.fontFamily}`;
  ctx.fillText(title, 8 * devicePixelRatio, 17 * devicePixelRatio);
  ctx.drawImage(canvas, 0, head);
  picture.toBlob((blob) => blob && save(name, "image/png", blob));
}
