/** The uPlot options of a chart: its series, scales, axes, cursor, and how it reacts to clicks and drags. */
import uPlot from "uplot";
import { figure } from "../format.ts";
import { ticks, xRange, yRange } from "./chart-axes.ts";
import { drawGuides, drawNonFinite, drawWords, type Guides, type Ink } from "./chart-ink.ts";
import { drawLetters, letterRoom } from "./chart-letters.ts";
import { type ChartRow, type RowOptions, rowsOf } from "./chart-rows.ts";

export interface DrawOptions extends RowOptions, Partial<Guides> {
  /** Formats horizontal values that are not iterations. */
  readonly xText?: (value: number) => string;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly floor?: number;
  readonly ceiling?: number;
  readonly reach?: boolean;
  readonly onZoom?: (range: { readonly from: number; readonly to: number } | null) => void;
  readonly onPick?: (iteration: number | null) => void;
}

/** The pointer's position, in this chart or in one that shares its cursor. */
export interface Pointed {
  /** The nearest iteration in this chart. */
  readonly iteration: number;
  readonly here: boolean;
  /** CSS pixels from the left of the plot, and the plot's width. */
  readonly left: number;
  readonly width: number;
}

export interface OptionsOf {
  readonly element: HTMLElement;
  readonly height: number;
  readonly sync: string | undefined;
  /** The newest options, which change while the chart stays. */
  readonly present: { readonly current: DrawOptions };
  readonly onPoint: (pointed: Pointed | null) => void;
}

const fineSteps = [-2, -1, 0, 1, 2, 3, 4, 5, 6, 7].flatMap((power) => [1, 2, 5].map((n) => n * 10 ** power));
const steps = fineSteps.filter((step) => step >= 1);

export function optionsOf({ element, height, sync, present, onPoint }: OptionsOf): uPlot.Options {
  const style = getComputedStyle(element);
  const ink: Ink = (name) => style.getPropertyValue(name).trim();
  const { log = false, xText } = present.current;
  const rows = rowsOf(present.current);
  const smooth = new Set(rows.filter(({ kind }) => kind === "smooth").map(({ line }) => line));
  const axis = {
    stroke: ink("--quiet"),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: ink("--grid"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height,
    padding: [6, rows.some(({ line }) => line.letter !== undefined) ? letterRoom : 14, 0, 0],
    legend: { show: false },
    cursor: {
      // A drag belongs to one chart: the others get its result through the address.
      ...(sync !== undefined && {
        sync: { key: sync, filters: { pub: (type: string) => type === "mousemove", sub: () => true } },
      }),
      drag: { x: true, y: false, setScale: false, dist: 4 },
      // One marker per line, since the browser makes each a separate layer.
      points: { show: (_, i) => (rows[i - 1]?.kind === "raw" ? document.createElement("div") : (null as never)) },
      y: false,
    },
    scales: {
      x: { time: false, range: (_, low, high) => xRange({ ...present.current, low, high, step: xText ? 0 : 1 }) },
      y: {
        ...(log && { distr: 3 as const }),
        range: (_, low, high) => {
          const { floor, ceiling, reach, thresholds = [] } = present.current;
          return yRange({ low, high, log, floor, ceiling, reach, guides: thresholds.map(({ value }) => value) });
        },
      },
    },
    axes: [
      {
        ...axis,
        size: 22,
        gap: 3,
        incrs: xText ? fineSteps : steps,
        space: 60,
        values: (_, splits) => splits.map(xText ?? String),
      },
      {
        ...axis,
        size: 50,
        gap: 4,
        // So that a low chart also has two labelled lines.
        space: Math.min(26, height / 5),
        values: (_, splits, _axis, _space, step) =>
          log
            ? splits.map((value) => (value === null ? "" : figure(value, 2)))
            : ticks(
                splits.filter((value) => value !== null),
                step,
              ),
      },
    ],
    series: [{}, ...rows.map((row) => seriesOf(row, { ink, isUnder: smooth.has(row.line) }))],
    bands: rows.flatMap(({ kind, line }, i): uPlot.Band[] =>
      kind === "high" || kind === "most"
        ? [{ series: [i + 1, i + 2], fill: faint(ink(line.colour), kind === "high" ? 14 : 30) }]
        : [],
    ),
    hooks: {
      drawAxes: [(u) => drawGuides(u, present.current, ink)],
      draw: [
        (u) =>
          drawNonFinite(
            u,
            present.current.lines.map(({ column }) => column),
            { ink, log },
          ),
        (u) => drawWords(u, present.current.thresholds ?? [], ink),
        (u) => drawLetters(u, rows, ink),
      ],
      setCursor: [(u) => onPoint(pointedOf(u))],
      setSelect: [
        (u) => {
          const { left, width } = u.select;
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          const at = (x: number) => Number(u.posToVal(x, "x").toFixed(xText ? 2 : 0));
          const from = Math.max(0, at(left));
          const to = at(left + width) + (xText ? 0 : 1);
          if (width > 4) present.current.onZoom?.({ from, to: Math.max(to, from + (xText ? 0.02 : 2)) });
        },
      ],
      ready: [(u) => listen(u, present)],
    },
  };
}

/** Click selects, a second click deselects; double click shows everything and selects nothing. */
function listen(u: uPlot, present: OptionsOf["present"]): void {
  let before: number | null = null;
  u.over.addEventListener("click", (event) => {
    if (event.detail > 1) return;
    const { chosen = null, onPick } = present.current;
    const pointed = pointedOf(u);
    before = chosen;
    if (pointed !== null) onPick?.(pointed.iteration === chosen ? null : pointed.iteration);
  });
  u.over.addEventListener("dblclick", () => {
    present.current.onPick?.(before);
    present.current.onZoom?.(null);
  });
  // A finger drags horizontally like a mouse; vertically it scrolls the page, and the drag has no effect.
  u.over.style.touchAction = "pan-y";
  let start: PointerEvent;
  for (const [name, as] of [
    ["pointerdown", "mousedown"],
    ["pointermove", "mousemove"],
    ["pointerup", "mouseup"],
    ["pointercancel", "mousemove"],
    ["pointercancel", "mouseup"],
  ] as const)
    u.over.addEventListener(name, (event) => {
      if (event.pointerType !== "touch") return;
      if (name === "pointerdown") start = event;
      const { clientX, clientY } = name === "pointercancel" ? start : event;
      u.over.dispatchEvent(new MouseEvent(as, { bubbles: true, clientX, clientY, movementX: 1 }));
    });
}

function pointedOf(u: uPlot): Pointed | null {
  const { idx, left = -1, event } = u.cursor;
  const iteration = idx === null || idx === undefined || left < 0 ? undefined : u.data[0][idx];
  if (iteration === undefined) return null;
  return { iteration, here: (event ?? null) !== null, left, width: u.over.clientWidth };
}

function seriesOf(
  { line, kind }: ChartRow,
  { ink, isUnder }: { readonly ink: Ink; readonly isUnder: boolean },
): uPlot.Series {
  const { label, colour, dashed, stepped } = line;
  const colourInk = ink(colour);
  const none = { show: false };
  if (kind === "smooth")
    return { label, stroke: colourInk, width: 1.75, points: none, ...(dashed && { dash: [6, 4] }) };
  // The ends of a band have no line, but the axis must include them.
  if (kind !== "raw") return { label, width: 0, points: none };
  const stroke = isUnder ? faint(colourInk, 38) : colourInk;
  return {
    label,
    stroke,
    width: isUnder ? 1 : 1.5,
    points: {
      show: areFew,
      size: 4.5,
      width: 0,
      fill: stroke,
      filter: (u, i, show) => (show ? null : alone(u.data[i]!)),
    },
    ...(dashed && { dash: [6, 4] }),
    ...(stepped && { paths: uPlot.paths.stepped!({ align: 1 }) }),
  };
}

/** Whether so few values are shown that single ones are drawn as dots. */
function areFew(u: uPlot, series: number, first: number, last: number): boolean {
  let count = 0;
  for (let i = first; i <= last && count <= 40; i++) if (typeof u.data[series]![i] === "number") count++;
  return count <= 40;
}

/** Values between two gaps, which no line passes through. */
function alone(values: ArrayLike<number | null | undefined>): number[] | null {
  const found: number[] = [];
  let [beforeLast, last] = [-1, -1];
  const isValue = (i: number) => i >= 0 && typeof values[i] === "number";
  for (let i = 0; i <= values.length; i++) {
    if (i < values.length && values[i] === undefined) continue;
    if (isValue(last) && !isValue(beforeLast) && !(i < values.length && isValue(i))) found.push(last);
    [beforeLast, last] = [last, i];
  }
  return found.length === 0 ? null : found;
}

function faint(colour: string, share: number): string {
  return `color-mix(in srgb, ${colour} ${share}%, transparent)`;
}
