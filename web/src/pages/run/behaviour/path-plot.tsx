/** One number against a second one over a run: a path through its points, with their iterations. */
import { scaleOf } from "../../../components/intervals.tsx";
import { figure } from "../../../format.ts";
import { narrow } from "../../../narrow.ts";

export interface PathPoint {
  readonly iteration: number;
  readonly x: number;
  readonly y: number;
  /** 95% interval of `y`. */
  readonly low?: number;
  readonly high?: number;
  /** Whether it is drawn as a triangle. */
  readonly marked?: boolean;
}

export interface PathPlotProps {
  readonly title: string;
  readonly points: readonly PathPoint[];
  readonly xLabel: string;
  readonly yLabel: string;
  readonly yText?: (value: number) => string;
}

const room = { left: 48, right: 14, top: 12, bottom: 34 } as const;
/** Pixels between two labels. */
const apart = 26;

export function PathPlot({ title, points, xLabel, yLabel, yText = (n) => figure(n, 3) }: PathPlotProps) {
  const [width, height] = narrow.value ? [350, 250] : [560, 280];
  const finite = points.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y));
  if (finite.length === 0) return <p class="quiet">No point has both numbers yet.</p>;
  const xs = scaleOf(finite.map(({ x }) => ({ low: x, high: x })));
  const ys = scaleOf(finite.map(({ y, low = y, high = y }) => ({ low, high })));
  const across = (x: number) => room.left + ((x - xs.from) / (xs.to - xs.from)) * (width - room.left - room.right);
  const up = (y: number) =>
    height - room.bottom - ((y - ys.from) / (ys.to - ys.from)) * (height - room.top - room.bottom);
  const places = finite.map((point) => ({ ...point, left: across(point.x), top: up(point.y) }));
  const labelled = labels(places);
  const lost = points.length - finite.length;
  return (
    <figure class="path-plot">
      <svg
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label={`${title}: ${yLabel} over ${xLabel}; the table below has its points`}
      >
        {xs.grid.map((x) => (
          <g key={x}>
            <line class="grid" x1={across(x)} x2={across(x)} y1={room.top} y2={height - room.bottom} />
            <text x={across(x)} y={height - room.bottom + 14} text-anchor="middle">
              {figure(x, 3)}
            </text>
          </g>
        ))}
        {ys.grid.map((y) => (
          <g key={y}>
            <line class="grid" x1={room.left} x2={width - room.right} y1={up(y)} y2={up(y)} />
            <text x={room.left - 5} y={up(y) + 4} text-anchor="end">
              {yText(y)}
            </text>
          </g>
        ))}
        <text class="axis" x={width - room.right} y={height - 4} text-anchor="end">
          {xLabel} →
        </text>
        <text class="axis" x={room.left + 4} y={room.top + 2}>
          ↑ {yLabel}
        </text>
        {places.map(({ iteration, left, low, high }) =>
          low === undefined || high === undefined ? null : (
            <line key={iteration} class="whisker" x1={left} x2={left} y1={up(low)} y2={up(high)} />
          ),
        )}
        <polyline points={places.map(({ left, top }) => `${left.toFixed(1)},${top.toFixed(1)}`).join(" ")} />
        {places.map(({ iteration, x, y, left, top, marked = false }) => (
          <g key={iteration} transform={`translate(${left.toFixed(1)} ${top.toFixed(1)})`}>
            <title>{`iteration ${iteration}: ${xLabel} ${figure(x)}, ${yLabel} ${yText(y)}`}</title>
            {marked ? <path class="marked" d="M0 -6L6 5H-6Z" /> : <circle r={3.5} />}
            {labelled.has(iteration) && (
              <text class="label" x={7} y={-6}>
                {iteration}
              </text>
            )}
          </g>
        ))}
      </svg>
      {lost > 0 && (
        <figcaption class="warn">
          ▲ {lost} of {points.length} points are not finite and have no place here.
        </figcaption>
      )}
    </figure>
  );
}

/** Labels for the newest point, the first, and as many others as there is room for. */
function labels(
  places: readonly { readonly iteration: number; readonly left: number; readonly top: number }[],
): Set<number> {
  const kept: (typeof places)[number][] = [];
  for (const place of [places.at(-1)!, places[0]!, ...places.slice(1, -1)])
    if (kept.every(({ left, top }) => Math.hypot(left - place.left, top - place.top) > apart)) kept.push(place);
  return new Set(kept.map(({ iteration }) => iteration));
}
