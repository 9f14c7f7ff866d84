/** A letter at the end of each line, which distinguishes runs besides their hue. */
import type uPlot from "uplot";
import type { Ink } from "./chart-ink.ts";
import type { ChartRow } from "./chart-rows.ts";

/** CSS pixels that letters need to the right of the plot. */
export const letterRoom = 18;

const size = 11;

/** Draws the letters. `rows` are those of `u.data`, without the first. If ends are close together the letters move apart. */
export function drawLetters(u: uPlot, rows: readonly ChartRow[], ink: Ink): void {
  const { ctx, bbox } = u;
  const pixel = devicePixelRatio;
  const last = u.scales.x!.max ?? Number.POSITIVE_INFINITY;
  // The smoothed row follows the raw one: its end is the line's.
  const ends = new Map<string, { readonly colour: string; readonly x: number; readonly y: number }>();
  rows.forEach(({ line: { letter, colour }, kind }, row) => {
    if (letter === undefined || (kind !== "raw" && kind !== "smooth")) return;
    const values = u.data[row + 1]!;
    const i = values.findLastIndex((value, at) => typeof value === "number" && u.data[0]![at]! <= last);
    if (i < 0) return;
    const next = values.findIndex((value, at) => at > i && typeof value === "number");
    let [x, y] = placeOf(u, row + 1, i);
    if (next >= 0) {
      // The line continues beyond the edge: its letter is where it crosses the edge.
      const [nextX, nextY] = placeOf(u, row + 1, next);
      const edge = bbox.left + bbox.width;
      y += ((edge - x) / (nextX - x)) * (nextY - y);
      x = edge;
    }
    if (x >= bbox.left && Number.isFinite(y)) ends.set(letter, { colour, x, y });
  });
  const placed = apart(
    [...ends.values()].map(({ y }) => y),
    { room: size * pixel, top: bbox.top, bottom: bbox.top + bbox.height },
  );
  ctx.save();
  ctx.font = `600 ${size * pixel}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  [...ends].forEach(([letter, { colour, x }], i) => {
    ctx.fillStyle = ink(colour);
    ctx.fillText(letter, x + 4 * pixel, placed[i]!);
  });
  ctx.restore();
}

function placeOf(u: uPlot, series: number, i: number): [x: number, y: number] {
  return [u.valToPos(u.data[0]![i]!, "x", true), u.valToPos(u.data[series]![i]!, "y", true)];
}

/** The heights moved at least `room` apart, as close to the originals as one pass down and one up leave them. */
export function apart(
  heights: readonly number[],
  { room, top, bottom }: { readonly room: number; readonly top: number; readonly bottom: number },
): number[] {
  const order = heights.map((_, i) => i).sort((a, b) => heights[a]! - heights[b]!);
  const placed = [...heights];
  let least = top + room / 2;
  for (const i of order) {
    placed[i] = Math.max(placed[i]!, least);
    least = placed[i]! + room;
  }
  let most = bottom - room / 2;
  for (const i of order.reverse()) {
    placed[i] = Math.min(placed[i]!, most);
    most = placed[i]! - room;
  }
  return placed;
}
