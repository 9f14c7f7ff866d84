/** What a chart draws besides its lines: thresholds, event marks, the chosen iteration, triangles for values that are not finite. */
import type uPlot from "uplot";
import type { Tone } from "../format.ts";
import type { Column } from "../state/column.ts";
import { isBelowLog } from "./chart-rows.ts";

export interface Guides {
  /** Horizontal hairlines: a rule's bound, or (without a tier) a target. */
  readonly thresholds: readonly Hairline[];
  /** Vertical lines: what happened in an iteration. */
  readonly marks: readonly Mark[];
  /** The iteration that the view has selected. */
  readonly chosen: number | null;
}

export interface Hairline {
  readonly value: number;
  /** The threshold in words: `> 0.05`. */
  readonly says: string;
  readonly tier: 1 | 2 | 3 | null;
}

export interface Mark {
  readonly iteration: number;
  /** The mark's meaning in one sentence. */
  readonly says: string;
  /** One character at the top of the line. */
  readonly shape: string;
  readonly tone: Tone;
  /** Routine events get a short line at the bottom. */
  readonly quiet?: boolean;
}

/** Looks up a colour by its name in the style sheet. */
export type Ink = (name: string) => string;

export const toneInk: Readonly<Record<Tone, string>> = {
  good: "--good",
  warn: "--warn",
  bad: "--bad",
  quiet: "--mark",
};

/** Device pixels beside the plot that shapes may use. */
const edge = () => 6 * devicePixelRatio;
const tierInk = (tier: Hairline["tier"]) => (tier === 1 ? "--bad" : tier === 2 ? "--warn" : "--mark");

/** Draws guides above the grid and below the lines. */
export function drawGuides(u: uPlot, { thresholds = [], marks = [], chosen = null }: Partial<Guides>, ink: Ink): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  // A shape at either end must be complete.
  ctx.rect(bbox.left - edge(), bbox.top, bbox.width + 2 * edge(), bbox.height);
  ctx.clip();
  drawMarks(u, marks, ink);
  drawThresholds(u, thresholds, ink);
  if (chosen !== null) {
    ctx.strokeStyle = ink("--accent");
    ctx.lineWidth = 2 * devicePixelRatio;
    const x = Math.round(u.valToPos(chosen, "x", true));
    stroke(ctx, [x, bbox.top], [x, bbox.top + bbox.height]);
  }
  ctx.restore();
}

function drawThresholds(u: uPlot, thresholds: readonly Hairline[], ink: Ink): void {
  const { ctx, bbox } = u;
  const pixel = devicePixelRatio;
  ctx.lineWidth = pixel;
  for (const { value, tier } of thresholds) {
    const y = placeOf(u, value);
    if (y === null) continue;
    ctx.strokeStyle = ink(tierInk(tier));
    ctx.setLineDash(tier === null ? [pixel, 3 * pixel] : [5 * pixel, 4 * pixel]);
    stroke(ctx, [bbox.left, y], [bbox.left + bbox.width, y]);
  }
  ctx.setLineDash([]);
}

/** Draws labels above the lines, outlined in the background's colour to keep them readable. */
export function drawWords(u: uPlot, thresholds: readonly Hairline[], ink: Ink): void {
  const { ctx, bbox } = u;
  const pixel = devicePixelRatio;
  const said: number[] = [];
  ctx.save();
  ctx.font = `${10 * pixel}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.lineJoin = "round";
  ctx.lineWidth = 3 * pixel;
  ctx.strokeStyle = ink("--ground");
  for (const { value, says, tier } of thresholds) {
    const y = placeOf(u, value);
    // Overlapping labels are left out: the line is there, and its value is on the axis.
    if (y === null || said.some((other) => Math.abs(other - y) < 11 * pixel)) continue;
    said.push(y);
    const words = tier === null ? says : `tier ${tier} ${says}`;
    const width = ctx.measureText(words).width;
    const [left, right] = [bbox.left + 3 * pixel, bbox.left + bbox.width - width - 3 * pixel];
    // Above or below the hairline, at the end that no line passes.
    const places = [y - 4 * pixel, y + 11 * pixel]
      .filter((foot) => foot > bbox.top + 10 * pixel && foot < bbox.top + bbox.height)
      .flatMap((foot) => [right, left].map((x) => [x, foot] as const));
    const isFree = ([x, foot]: readonly [number, number]) =>
      !isCrossed(u, { left: x, right: x + width, top: foot - 10 * pixel, bottom: foot + 2 * pixel });
    const [x, foot] = places.find(isFree) ?? places[0]!;
    ctx.strokeText(words, x, foot);
    ctx.fillStyle = ink(tierInk(tier));
    ctx.fillText(words, x, foot);
  }
  ctx.restore();
}

/** Whether a line of the chart passes through, judged by the boxes of its steps. */
function isCrossed(
  u: uPlot,
  box: { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number },
): boolean {
  return u.data.slice(1).some((values) => {
    let before: readonly [x: number, y: number] | null = null;
    for (const [i, value] of [...values].entries()) {
      if (value === undefined) continue;
      const [x0, y0] = before ?? [Number.NaN, Number.NaN];
      before = value === null ? null : [u.valToPos(u.data[0][i]!, "x", true), u.valToPos(value, "y", true)];
      const [x, y] = before ?? [Number.NaN, Number.NaN];
      if (x >= box.left && x0 <= box.right && Math.min(y, y0) < box.bottom && Math.max(y, y0) > box.top) return true;
    }
    return false;
  });
}

/** A value's position in device pixels; null if it is off the axis. */
function placeOf(u: uPlot, value: number): number | null {
  const { min = 0, max = 1 } = u.scales.y!;
  return value < min! || value > max! ? null : Math.round(u.valToPos(value, "y", true)) + 0.5;
}

function drawMarks(u: uPlot, marks: readonly Mark[], ink: Ink): void {
  const { ctx, bbox } = u;
  const pixel = devicePixelRatio;
  const bottom = bbox.top + bbox.height;
  ctx.lineWidth = pixel;
  ctx.textAlign = "center";
  const shapes = new Set<string>();
  const loud = marks.filter(({ quiet }) => quiet !== true).length;
  // Many marks should form a pattern, not a fence.
  const loudness = Math.min(0.6, Math.max(0.15, 6 / loud));
  // The most important ones are drawn last, above the others.
  for (const { iteration, shape, tone, quiet = false } of [...marks].sort((a, b) => weightOf(a) - weightOf(b))) {
    const x = Math.round(u.valToPos(iteration, "x", true)) + 0.5;
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue;
    const place = `${Math.round(x / (4 * pixel))} ${shape} ${quiet}`;
    if (shapes.has(place)) continue;
    shapes.add(place);
    ctx.strokeStyle = ctx.fillStyle = ink(toneInk[tone]);
    ctx.globalAlpha = quiet ? 0.4 : loudness;
    stroke(ctx, [x, quiet ? bottom - 14 * pixel : bbox.top + 11 * pixel], [x, bottom]);
    ctx.globalAlpha = quiet ? 0.75 : 1;
    ctx.font = `${(quiet ? 8 : 10) * pixel}px system-ui, sans-serif`;
    ctx.fillText(shape, x, quiet ? bottom - 1 * pixel : bbox.top + 9 * pixel);
  }
  ctx.globalAlpha = 1;
}

function weightOf({ tone, quiet = false }: Mark): number {
  return (quiet ? 0 : 10) + ["quiet", "good", "warn", "bad"].indexOf(tone);
}

/**
 * Draws triangles: NaN points up from the bottom, +Infinity up at the top, -Infinity down from the bottom; on a logarithmic axis values of 0 and
 * below are hollow at the bottom.
 */
export function drawNonFinite(u: uPlot, columns: readonly Column[], { ink, log }: { ink: Ink; log: boolean }): void {
  const { ctx, bbox } = u;
  const size = 5 * devicePixelRatio;
  const floor = bbox.top + bbox.height - size;
  ctx.save();
  ctx.fillStyle = ctx.strokeStyle = ink("--bad");
  ctx.lineWidth = devicePixelRatio;
  const triangle = (iteration: number, y: number, tip: 1 | -1, fill: boolean) => {
    const x = u.valToPos(iteration, "x", true);
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) return;
    ctx.beginPath();
    ctx.moveTo(x, y + tip * size);
    ctx.lineTo(x - size, y - tip * size);
    ctx.lineTo(x + size, y - tip * size);
    ctx.closePath();
    if (fill) ctx.fill();
    else ctx.stroke();
  };
  for (const column of columns) {
    for (const [index, { last }] of column.nonFinite) {
      const top = last === Number.POSITIVE_INFINITY;
      triangle(column.from[index]!, top ? bbox.top + size : floor, last === Number.NEGATIVE_INFINITY ? 1 : -1, true);
    }
    if (!log) continue;
    ctx.strokeStyle = ink("--mark");
    for (const [i, iteration] of column.from.entries()) if (isBelowLog(column, i)) triangle(iteration, floor, 1, false);
  }
  ctx.restore();
}

function stroke(ctx: CanvasRenderingContext2D, [x0, y0]: [number, number], [x1, y1]: [number, number]): void {
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
}
