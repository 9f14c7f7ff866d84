/** What a chart draws besides its lines: thresholds, marks of events, triangles for values that are not finite. */
import type uPlot from "uplot";
import type { Tone } from "../format.ts";
import type { Column } from "../state/column.ts";

export interface Guides {
  /** Hairlines across: a rule's bound. */
  readonly thresholds: readonly { readonly value: number; readonly says: string; readonly tier: 1 | 2 | 3 }[];
  /** Lines through: what happened in an iteration. */
  readonly marks: readonly Mark[];
  /** An iteration that a view looks at. */
  readonly chosen: number | null;
}

export interface Mark {
  readonly iteration: number;
  /** One sentence. */
  readonly says: string;
  /** One character at the top of the line. */
  readonly shape: string;
  readonly tone: Tone;
}

type Ink = (name: string) => string;

export const toneInk: Readonly<Record<Tone, string>> = {
  good: "--good",
  warn: "--warn",
  bad: "--bad",
  quiet: "--mark",
};

/** Below the lines. */
export function drawGuides(u: uPlot, { thresholds = [], marks = [], chosen = null }: Partial<Guides>, ink: Ink): void {
  const { ctx, bbox } = u;
  const pixel = devicePixelRatio;
  const [lowest, highest] = [u.scales.y!.min ?? 0, u.scales.y!.max ?? 1];
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.lineWidth = pixel;
  ctx.font = `${10 * pixel}px system-ui, sans-serif`;
  for (const { value, tier } of thresholds) {
    if (value < lowest || value > highest) continue;
    const y = Math.round(u.valToPos(value, "y", true)) + 0.5;
    ctx.strokeStyle = ink(tier === 1 ? "--bad" : tier === 2 ? "--warn" : "--mark");
    ctx.setLineDash([4 * pixel, 4 * pixel]);
    stroke(ctx, [bbox.left, y], [bbox.left + bbox.width, y]);
    ctx.setLineDash([]);
    ctx.fillStyle = ctx.strokeStyle;
    ctx.textAlign = "right";
    ctx.fillText(`tier ${tier}`, bbox.left + bbox.width - 2 * pixel, y - 3 * pixel);
  }
  ctx.textAlign = "center";
  for (const { iteration, shape, tone } of marks) {
    const x = Math.round(u.valToPos(iteration, "x", true)) + 0.5;
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = ink(toneInk[tone]);
    ctx.globalAlpha = 0.55;
    stroke(ctx, [x, bbox.top + 10 * pixel], [x, bbox.top + bbox.height]);
    ctx.globalAlpha = 1;
    ctx.fillStyle = ctx.strokeStyle;
    ctx.fillText(shape, x, bbox.top + 9 * pixel);
  }
  if (chosen !== null) {
    const x = Math.round(u.valToPos(chosen, "x", true)) + 0.5;
    ctx.strokeStyle = ink("--accent");
    ctx.lineWidth = 2 * pixel;
    stroke(ctx, [x, bbox.top], [x, bbox.top + bbox.height]);
  }
  ctx.restore();
}

/** NaN points up from the floor, +Infinity up at the top, -Infinity down from the floor: each with its letter where there is room. */
export function drawNonFinite(
  u: uPlot,
  lines: readonly { readonly column: Column; readonly colour: string }[],
  ink: Ink,
): void {
  const { ctx, bbox } = u;
  const size = 5 * devicePixelRatio;
  ctx.save();
  for (const { column } of lines) {
    for (const [index, { last }] of column.nonFinite) {
      const x = u.valToPos(column.from[index]!, "x", true);
      if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue;
      const top = last === Number.POSITIVE_INFINITY;
      const tip = last === Number.NEGATIVE_INFINITY ? 1 : -1;
      const y = top ? bbox.top + size : bbox.top + bbox.height - size;
      ctx.fillStyle = ink("--bad");
      ctx.beginPath();
      ctx.moveTo(x, y + tip * size);
      ctx.lineTo(x - size, y - tip * size);
      ctx.lineTo(x + size, y - tip * size);
      ctx.closePath();
      ctx.fill();
    }
  }
  ctx.restore();
}

function stroke(ctx: CanvasRenderingContext2D, [x0, y0]: [number, number], [x1, y1]: [number, number]): void {
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
}
