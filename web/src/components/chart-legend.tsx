/** The figures of a chart: values under the pointer, at the chosen iteration, or the newest; and what happened there. */
import type { ReadonlySignal } from "@preact/signals";
import { figure } from "../format.ts";
import type { Column } from "../state/column.ts";
import type { Mark } from "./chart-ink.ts";
import type { Pointed } from "./chart-options.ts";
import type { Line } from "./chart-rows.ts";

export interface LegendProps {
  readonly lines: readonly Line[];
  readonly pointed: ReadonlySignal<Pointed | null>;
  readonly chosen: number | null;
  readonly xText: (at: number) => string;
}

export function Legend({ lines, pointed, chosen, xText }: LegendProps) {
  const at = pointed.value?.iteration ?? chosen;
  return (
    <>
      {at !== null && <span class="quiet legend-at">{xText(at)}</span>}
      <span class="legend">
        {lines.map(({ label, column, colour, dashed, band }) => (
          <span key={label} class="legend-entry">
            {lines.length > 1 && (
              <>
                <span class={dashed ? "swatch dashed" : "swatch"} style={{ color: `var(${colour})` }} />
                {label}{" "}
              </>
            )}
            <b>{valueText(column, at)}</b>
            {band !== undefined && <span class="quiet"> {bandText(band, at)}</span>}
          </span>
        ))}
      </span>
    </>
  );
}

/** Sentences of the marks near the pointer, in the chart that it is on. */
export function Said({
  marks,
  pointed,
  pixels,
}: {
  readonly marks: readonly Mark[];
  readonly pointed: ReadonlySignal<Pointed | null>;
  /** An iteration's position, in pixels from the left of the plot. */
  readonly pixels: (iteration: number) => number;
}) {
  const at = pointed.value;
  if (at === null || !at.here) return null;
  const near = marks.filter(({ iteration }) => Math.abs(pixels(iteration) - at.left) <= 5);
  if (near.length === 0) return null;
  const shown = near.slice(-4);
  return (
    <div class={at.left > at.width / 2 ? "chart-said left" : "chart-said"}>
      {near.length > shown.length && <p class="quiet">and {near.length - shown.length} more</p>}
      {shown.map(({ iteration, shape, says, tone }, i) => (
        <p key={i}>
          <span class={tone} aria-hidden="true">
            {shape}
          </span>{" "}
          {iteration}: {says}
        </p>
      ))}
    </div>
  );
}

/** The value of the bucket with this iteration; null means the newest. */
export function valueText(column: Column, at: number | null): string {
  const index = indexOf(column, at);
  if (index === null) return "–";
  const bad = column.nonFinite.get(index);
  const mean = column.mean[index] ?? null;
  if (mean === null) return bad === undefined ? "–" : figure(bad.last);
  const [min, max] = [column.min[index]!, column.max[index]!];
  const range = min === max ? "" : ` [${figure(min, 2)}, ${figure(max, 2)}]`;
  return `${figure(mean, range === "" ? 4 : 3)}${range}${bad === undefined ? "" : ` and ${bad.count} not finite`}`;
}

function bandText({ low, high }: NonNullable<Line["band"]>, at: number | null): string {
  const [i, j] = [indexOf(low, at), indexOf(high, at)];
  return i === null || j === null ? "" : `${figure(low.mean[i], 3)} to ${figure(high.mean[j], 3)}`;
}

function indexOf({ from, width }: Column, at: number | null): number | null {
  const index = at === null ? from.length - 1 : from.findLastIndex((first) => first <= at);
  return index < 0 || (at !== null && at >= from[index]! + width) ? null : index;
}
