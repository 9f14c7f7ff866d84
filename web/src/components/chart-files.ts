/** A chart as a picture and as a table. */
import type uPlot from "uplot";
import type { Column } from "../state/column.ts";
import type { Line } from "./chart-rows.ts";

/** Columns `iteration` (first of the bucket) or what else stands across, then value, min and max of each line; what is not finite by its word. */
export function csvOf(
  lines: readonly { readonly label: string; readonly column: Column }[],
  across = "iteration",
): string {
  const iterations = [...new Set(lines.flatMap(({ column }) => column.from))].sort((a, b) => a - b);
  const places = lines.map(({ column }) => new Map(column.from.map((from, i) => [from, i])));
  const head = [across, ...lines.flatMap(({ label }) => [label, `${label} min`, `${label} max`])];
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

/** The chart as it is drawn, on its own ground, under its title and the names of its lines. */
export function savePicture(
  plot: uPlot | null,
  { name, title, lines }: { readonly name: string; readonly title: string; readonly lines: readonly Line[] },
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
  write(title, "600", style.color);
  if (lines.length > 1)
    for (const { label, colour } of lines) write(`– ${label}`, "400", style.getPropertyValue(colour).trim());
  ctx.drawImage(canvas, 0, head);
  picture.toBlob((blob) => blob && save(name, "image/png", blob));
}
