/** One chart over iterations: raw under smoothed, bands of min and max, thresholds, marks, what is not finite; drag to zoom. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { figure } from "../format.ts";
import { type Column, smoothed } from "../state/column.ts";
import { align } from "./align.ts";
import { csvOf, save, savePicture } from "./chart-files.ts";
import { drawGuides, drawNonFinite, type Guides } from "./chart-ink.ts";

export interface Line {
  readonly label: string;
  readonly column: Column;
  /** A custom property of the style sheet: `--run-1`. */
  readonly colour: string;
  readonly dashed?: boolean;
}

export interface ChartProps extends Partial<Guides> {
  readonly title: string;
  /** `nats/token` */
  readonly unit?: string;
  readonly lines: readonly Line[];
  /** Grows when the columns have changed. */
  readonly drawn?: number;
  readonly log?: boolean;
  /** Weight of the exponential smoothing, from 0 (none) to below 1. */
  readonly smooth?: number;
  /** Iterations shown; undefined is as far as there are any. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Called with what was dragged over, and with nothing for all of it. */
  readonly onZoom?: (range: { readonly from: number; readonly to: number } | null) => void;
  /** Charts of one name share their cursor. */
  readonly sync?: string;
  /** Called with the iteration that was clicked on. */
  readonly onPick?: (iteration: number) => void;
  readonly height?: number;
  /** Ends of the vertical axis where the data do not reach further. */
  readonly floor?: number;
  readonly ceiling?: number;
  /** What a file of it is called. */
  readonly file?: string;
  readonly xLabel?: string;
}

export function Chart(props: ChartProps) {
  const { title, unit, lines, height = 170, drawn = 0 } = props;
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const present = useRef(props);
  present.current = props;
  const cursor = useSignal<number | null>(null);
  const shape = `${lines.map(({ label, colour, dashed }) => `${label} ${colour} ${dashed}`).join()} ${props.log} ${(props.smooth ?? 0) > 0}`;

  useEffect(() => {
    const element = frame.current!;
    const build = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(element, present, cursor), dataOf(present.current), element);
    };
    build();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }));
    resized.observe(element);
    // Ink is of the theme.
    const theme = matchMedia("(prefers-color-scheme: dark)");
    theme.addEventListener("change", build);
    const repainted = new MutationObserver(build);
    repainted.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      resized.disconnect();
      theme.removeEventListener("change", build);
      repainted.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape, height]);

  useEffect(() => {
    plot.current?.setData(dataOf(present.current));
  }, [drawn, lines.map(({ column }) => column), props.from, props.to, props.smooth, props.marks, props.thresholds]);

  const name = props.file ?? title;
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{title}</span>
        {unit !== undefined && <span class="quiet"> {unit}</span>}
        {props.log && <span class="quiet"> log</span>}
        <Legend lines={lines} at={cursor.value} marks={props.marks ?? []} />
        <span class="chart-files">
          <button
            type="button"
            class="ghost"
            title={`${title} as PNG`}
            onClick={() => savePicture(plot.current, `${name}.png`, title)}
          >
            PNG
          </button>
          <button
            type="button"
            class="ghost"
            title={`${title} as CSV`}
            onClick={() => save(`${name}.csv`, "text/csv", csvOf(lines))}
          >
            CSV
          </button>
        </span>
      </figcaption>
      <div ref={frame} class="plot" role="img" aria-label={summaryOf(props)} style={{ height: `${height}px` }} />
    </figure>
  );
}

/** The values under the cursor, else the newest. */
function Legend({ lines, at, marks }: { lines: readonly Line[]; at: number | null; marks: Guides["marks"] }) {
  const said = at === null ? [] : marks.filter(({ iteration }) => iteration === at);
  return (
    <span class="legend">
      {at !== null && <span class="quiet">it {at}</span>}
      {lines.map(({ label, column, colour }) => (
        <span key={label} class="legend-entry">
          <span class="swatch" style={{ background: `var(${colour})` }} />
          {lines.length > 1 && label} <b>{valueText(column, at)}</b>
        </span>
      ))}
      {said.map(({ says }) => (
        <span key={says} class="legend-mark">
          {says}
        </span>
      ))}
    </span>
  );
}

function valueText(column: Column, at: number | null): string {
  const index = at === null ? column.from.length - 1 : column.from.findLastIndex((from) => from <= at);
  if (index < 0 || (at !== null && at >= column.from[index]! + column.width)) return "–";
  const bad = column.nonFinite.get(index);
  const mean = column.mean[index] ?? null;
  if (mean === null) return bad === undefined ? "–" : figure(bad.last);
  const [min, max] = [column.min[index]!, column.max[index]!];
  const range = min === max ? "" : ` [${figure(min, 3)}, ${figure(max, 3)}]`;
  return `${figure(mean)}${range}${bad === undefined ? "" : ` and ${bad.count} not finite`}`;
}

function summaryOf({ title, unit, lines }: ChartProps): string {
  const each = lines.map(({ label, column }) => `${label}: ${valueText(column, null)}, ${column.from.length} points`);
  return `${title}${unit === undefined ? "" : `, ${unit}`}. ${each.join("; ")}`;
}

/** Four rows a line: raw, smoothed, and the ends of its band. */
function dataOf({ lines, smooth = 0 }: ChartProps): uPlot.AlignedData {
  const columns = lines.map(({ column }) => column);
  const rows = columns.map(({ mean, min, max }) => [mean, smooth > 0 ? smoothed(mean, smooth) : mean, max, min]);
  const { x, rows: cells } = align(columns, rows);
  return [x, ...cells] as uPlot.AlignedData;
}

function optionsOf(
  element: HTMLElement,
  present: { readonly current: ChartProps },
  cursor: { value: number | null },
): uPlot.Options {
  const style = getComputedStyle(element);
  const ink = (name: string) => style.getPropertyValue(name).trim();
  const { lines, log = false, smooth = 0, height = 170, sync } = present.current;
  const font = `11px ${style.fontFamily}`;
  const axis = { stroke: ink("--quiet"), font, grid: { stroke: ink("--grid"), width: 1 }, ticks: { show: false } };
  return {
    width: element.clientWidth,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: {
      ...(sync !== undefined && { sync: { key: sync } }),
      drag: { x: true, y: false, setScale: false },
      points: { size: 6 },
      y: false,
    },
    scales: {
      x: { time: false, range: (_, low, high) => xRange(present.current, low, high) },
      y: { ...(log ? { distr: 3 as const } : {}), range: (_, low, high) => yRange(present.current, low, high) },
    },
    axes: [
      { ...axis, size: 24, values: (_, splits) => splits.map((n) => (Number.isInteger(n) ? String(n) : "")) },
      { ...axis, size: 52, values: (_, splits) => splits.map((n) => (n === null ? "" : figure(n, 3))) },
    ],
    series: [
      {},
      ...lines.flatMap(({ label, colour, dashed }): uPlot.Series[] => {
        const stroke = ink(colour);
        const spans = { points: { show: sparse, size: 4, fill: stroke }, ...(dashed && { dash: [5, 4] }) };
        const end = { label: `${label} end`, width: 0, points: { show: false } };
        const raw = smooth > 0 ? faint(stroke) : stroke;
        return [
          { label, stroke: raw, width: smooth > 0 ? 1 : 1.5, ...spans },
          { label: `${label} smoothed`, stroke, width: 1.75, show: smooth > 0, points: { show: false } },
          end,
          end,
        ];
      }),
    ],
    bands: lines.map(({ colour }, i) => ({ series: [4 * i + 3, 4 * i + 4], fill: faint(ink(colour)) })),
    hooks: {
      drawClear: [(u) => drawGuides(u, present.current, ink)],
      draw: [(u) => drawNonFinite(u, present.current.lines, ink)],
      setCursor: [
        (u) => {
          cursor.value =
            u.cursor.idx === null || u.cursor.idx === undefined ? null : (u.data[0]![u.cursor.idx] ?? null);
        },
      ],
      setSelect: [
        (u) => {
          const { left, width } = u.select;
          const [from, to] = [u.posToVal(left, "x"), u.posToVal(left + width, "x")];
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          if (width > 4)
            present.current.onZoom?.({ from: Math.floor(from), to: Math.max(Math.floor(from) + 2, Math.ceil(to) + 1) });
        },
      ],
      ready: [
        (u) => {
          u.over.addEventListener("dblclick", () => present.current.onZoom?.(null));
          u.over.addEventListener("click", () => cursor.value !== null && present.current.onPick?.(cursor.value));
        },
      ],
    },
  };
}

/** Single values are dots where few are on the chart. */
function sparse(u: uPlot, series: number): boolean {
  const values = u.data[series] ?? [];
  let count = 0;
  for (const value of values) if (typeof value === "number") count++;
  return count <= 30;
}

function xRange({ from, to }: ChartProps, low: number, high: number): [number, number] {
  const [first, last] = [from ?? low ?? 0, to === undefined ? (high ?? 1) : to - 1];
  return first < last ? [first, last] : [first - 0.5, first + 0.5];
}

function yRange(
  { floor, ceiling, log = false }: ChartProps,
  low: number | null,
  high: number | null,
): [number, number] {
  const [a, b] = [
    Math.min(low ?? 0, floor ?? Number.POSITIVE_INFINITY),
    Math.max(high ?? 1, ceiling ?? Number.NEGATIVE_INFINITY),
  ];
  if (log) return [a > 0 ? a / 1.2 : 1e-6, b > 0 ? b * 1.2 : 1];
  const room = (b - a || Math.abs(b) || 1) * 0.06;
  return [
    floor !== undefined && a >= floor ? floor : a - room,
    ceiling !== undefined && b <= ceiling ? ceiling : b + room,
  ];
}

function faint(colour: string): string {
  return `color-mix(in srgb, ${colour} 28%, transparent)`;
}
