/** A line the size of a word: it shows a shape, not figures. */

export interface SparklineProps {
  readonly values: readonly (number | null)[];
  /** Positions of values that are not finite. */
  readonly bad?: { readonly keys: () => Iterable<number> };
  readonly width?: number;
  readonly height?: number;
  /** What it shows, in words. */
  readonly label: string;
}

export function Sparkline({ values, bad, width = 96, height = 24, label }: SparklineProps) {
  const finite = values.filter((value) => value !== null);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const x = (i: number) => 1 + (i / Math.max(1, values.length - 1)) * (width - 2);
  const y = (value: number) => height - 2 - ((value - low) / (high - low || 1)) * (height - 4);
  let path = "";
  let pen = "M";
  values.forEach((value, i) => {
    if (value === null) {
      pen = "M";
      return;
    }
    path += `${pen}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = "L";
  });
  return (
    <svg
      class="sparkline"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={label}
    >
      <path d={path} fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round" />
      {[...(bad?.keys() ?? [])].map((i) => (
        <path key={i} class="sparkline-bad" d={`M${x(i).toFixed(1)} ${height - 7}l3.5 6h-7z`} />
      ))}
    </svg>
  );
}
