/** Means with their intervals as dots on one scale, one below the other. */

export type DotShape = "dot" | "ring" | "diamond" | "square";

export interface Interval {
  readonly label: string;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly shape: DotShape;
  /** A custom property of the style sheet: a run's hue, else the text colour. */
  readonly colour: string;
}

export interface Scale {
  readonly from: number;
  readonly to: number;
}

export interface IntervalsProps {
  readonly items: readonly Interval[];
  readonly scale: Scale;
  /** Values at which to draw hairlines. */
  readonly grid?: readonly number[];
  /** What it shows, in words. */
  readonly label: string;
}

const lineHeight = 11;

export function Intervals({ items, scale, grid = [], label }: IntervalsProps) {
  const height = items.length * lineHeight + 3;
  return (
    <svg class="intervals" width="100%" height={height} role="img" aria-label={label}>
      {grid.map((value) => (
        <line key={value} x1={at(value, scale)} x2={at(value, scale)} y1={0} y2={height} stroke="var(--grid)" />
      ))}
      {items.map(({ mean, low, high, shape, colour }, i) => {
        const y = i * lineHeight + lineHeight / 2 + 1.5;
        const ink = `var(${colour})`;
        return (
          <g key={i}>
            <line x1={at(low, scale)} x2={at(high, scale)} y1={y} y2={y} stroke={ink} stroke-width={1.5} />
            <Dot x={at(mean, scale)} y={y} shape={shape} ink={ink} />
          </g>
        );
      })}
    </svg>
  );
}

/** A single dot, for a legend. */
export function DotKey({ shape, colour }: Pick<Interval, "shape" | "colour">) {
  return (
    <svg class="dot-key" width={12} height={12} aria-hidden="true">
      <Dot x="6" y={6} shape={shape} ink={`var(${colour})`} />
    </svg>
  );
}

function Dot({
  x,
  y,
  shape,
  ink,
}: {
  readonly x: string;
  readonly y: number;
  readonly shape: DotShape;
  readonly ink: string;
}) {
  if (shape === "dot" || shape === "ring")
    return (
      <circle
        cx={x}
        cy={y}
        r={shape === "dot" ? 4 : 3.5}
        fill={shape === "dot" ? ink : "var(--raised)"}
        stroke={ink}
        stroke-width={1.5}
      />
    );
  // Coordinates inside are relative to the dot's centre.
  return (
    <svg x={x} y={y} overflow="visible" aria-hidden="true">
      <path d={shape === "diamond" ? "M0 -5L5 0L0 5L-5 0Z" : "M-3.5 -3.5H3.5V3.5H-3.5Z"} fill={ink} />
    </svg>
  );
}

function at(value: number, { from, to }: Scale): string {
  const share = (value - from) / (to - from || 1);
  return `${(100 * Math.max(0, Math.min(1, share))).toFixed(2)}%`;
}

/** A scale with room for all values, and round ones within it. */
export function scaleOf(
  items: readonly Pick<Interval, "low" | "high">[],
): Scale & { readonly grid: readonly number[] } {
  const low = Math.min(...items.map((item) => item.low));
  const high = Math.max(...items.map((item) => item.high));
  const room = 0.04 * (high - low) || 0.5 * Math.abs(high) || 0.5;
  const [from, to] = [low - room, high + room];
  const span = to - from;
  const power = 10 ** Math.floor(Math.log10(span / 5));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((one) => one >= span / 5)!;
  const grid: number[] = [];
  for (let n = Math.ceil(from / step); n * step <= to; n++) grid.push(Number((n * step).toPrecision(12)));
  return { from, to, grid };
}

/** The values of the hairlines, below them. */
export function Ticks({
  grid,
  scale,
  text,
}: {
  readonly grid: readonly number[];
  readonly scale: Scale;
  readonly text: (value: number) => string;
}) {
  return (
    <span class="dot-ticks quiet" aria-hidden="true">
      {grid.map((value) => (
        <span key={value} style={{ left: at(value, scale) }}>
          {text(value)}
        </span>
      ))}
    </span>
  );
}
