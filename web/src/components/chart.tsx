/** One chart over iterations: raw below smoothed values, bands of min and max, thresholds, marks, values that are not finite; drag to zoom. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { csvOf, save, savePicture } from "./chart-files.ts";
import type { Guides } from "./chart-ink.ts";
import { Legend, Said, valueText } from "./chart-legend.tsx";
import { optionsOf, type Pointed } from "./chart-options.ts";
import { dataOf, type Line, shapeOf } from "./chart-rows.ts";

export type { Line } from "./chart-rows.ts";

export interface ChartProps extends Partial<Guides> {
  readonly title: string;
  /** The unit: `nats/token`. */
  readonly unit?: string;
  readonly lines: readonly Line[];
  /** A number that grows when the columns have changed. */
  readonly drawn?: number;
  readonly log?: boolean;
  /** Weight of the exponential smoothing, from 0 (none) to just below 1. */
  readonly smooth?: number;
  /** Iterations shown; undefined means without limit. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Called with the dragged range, or with null to show everything. */
  readonly onZoom?: (range: { readonly from: number; readonly to: number } | null) => void;
  /** Charts with the same name share their cursor. */
  readonly sync?: string;
  /** Called with the clicked iteration, or with null if it was the selected one. */
  readonly onPick?: (iteration: number | null) => void;
  readonly height?: number;
  /** Ends of the vertical axis if the data do not extend further. */
  readonly floor?: number;
  readonly ceiling?: number;
  /** Whether to include thresholds however far away they are. */
  readonly reach?: boolean;
  /** Name of its files. */
  readonly file?: string;
  /** The word for an iteration; `it` by default. */
  readonly xLabel?: string;
  /** For a horizontal axis other than iterations: the heading in a table, and how its values are formatted. */
  readonly across?: string;
  readonly xText?: (value: number) => string;
}

export function Chart(props: ChartProps) {
  const { title, unit, lines, height = 150, drawn = 0, marks = [], chosen = null, thresholds = [] } = props;
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const present = useRef(props);
  present.current = props;
  const pointed = useSignal<Pointed | null>(null);
  const shape = shapeOf(props);

  // Charts out of view are neither built nor drawn: a page has dozens of them, and a trainer never rests.
  const isSeen = useRef(false);
  const isStale = useRef(false);
  const draw = (how: (plot: uPlot) => void) => {
    if (isSeen.current && plot.current !== null) how(plot.current);
    else isStale.current = true;
  };

  useEffect(() => {
    const element = frame.current!;
    const build = () => {
      plot.current?.destroy();
      const onPoint = (at: Pointed | null) => {
        pointed.value = at;
      };
      const options = optionsOf({ element, height, sync: props.sync, present, onPoint });
      plot.current = new uPlot(options, dataOf(present.current), element);
      isStale.current = false;
    };
    const rebuild = () => plot.current !== null && build();
    const seen = new IntersectionObserver(
      (entries) => {
        isSeen.current = entries.at(-1)!.isIntersecting;
        if (!isSeen.current) return;
        // Between a render and this effect the rows may have a different shape from the plot's.
        if (plot.current === null || shapeOf(present.current) !== shape) build();
        else if (isStale.current) plot.current.setData(dataOf(present.current));
        isStale.current = false;
      },
      { rootMargin: "200px" },
    );
    seen.observe(element.parentElement!);
    const resized = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (width > 0 && width !== plot.current?.width) plot.current?.setSize({ width, height });
    });
    resized.observe(element);
    // Colours depend on the theme.
    const theme = matchMedia("(prefers-color-scheme: dark)");
    theme.addEventListener("change", rebuild);
    const repainted = new MutationObserver(rebuild);
    repainted.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      seen.disconnect();
      resized.disconnect();
      theme.removeEventListener("change", rebuild);
      repainted.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape, height, props.sync]);

  const { from, to, smooth, floor, ceiling } = props;
  const guides = thresholds.map(({ value, tier }) => `${value} ${tier}`).join();
  const columns = lines.flatMap(({ column, band }) => [column, band?.low, band?.high]);
  useEffect(
    () => draw((u) => u.setData(dataOf(present.current))),
    [drawn, from, to, smooth, floor, ceiling, guides, ...columns],
  );
  useEffect(() => draw((u) => u.redraw(false, false)), [marks, chosen]);

  const name = props.file ?? title;
  return (
    <figure class="chart">
      <figcaption class={lines.length > 1 ? "many" : "one"}>
        <span class="chart-title">{title}</span>
        <span class="quiet chart-unit">
          {unit} {props.log && "log"}
        </span>
        <Legend
          lines={lines}
          pointed={pointed}
          chosen={chosen}
          xText={props.xText ?? ((at) => `${props.xLabel ?? "it"} ${at}`)}
        />
      </figcaption>
      <div class="plot" role="img" aria-label={summaryOf(props)} style={{ height: `${height}px` }}>
        <div ref={frame} />
        <Said marks={marks} pointed={pointed} pixels={(iteration) => plot.current?.valToPos(iteration, "x") ?? -1} />
      </div>
      <span class="chart-files">
        <button
          type="button"
          class="ghost"
          title={`${title} as PNG`}
          aria-label={`${title} as PNG`}
          onClick={() => savePicture(plot.current, { name, unit, lines })}
        >
          PNG
        </button>
        <button
          type="button"
          class="ghost"
          title={`${title} as CSV`}
          aria-label={`${title} as CSV`}
          onClick={() => save(`${name}.csv`, "text/csv", csvOf(props))}
        >
          CSV
        </button>
      </span>
    </figure>
  );
}

function summaryOf({ title, unit, lines }: ChartProps): string {
  const each = lines.map(({ label, column }) => `${label}: ${valueText(column, null)}, ${column.from.length} points`);
  return `${title}${unit === undefined ? "" : `, ${unit}`}. ${each.join("; ")}`;
}
