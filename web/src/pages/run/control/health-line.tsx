/** A part of health over the run, on the common scale from 0 to 100. */
import type { Column } from "../../../state/column.ts";

const width = 120;
const height = 22;

export function HealthLine({ column, label }: { readonly column: Column; readonly label: string }) {
  const { from, mean, min, nonFinite } = column;
  const [first = 0, last = 1] = [from[0], from.at(-1)];
  const x = (i: number) => (1 + ((from[i]! - first) / Math.max(1, last - first)) * (width - 2)).toFixed(1);
  const y = (value: number) => (height - 2 - (Math.max(0, Math.min(100, value)) / 100) * (height - 4)).toFixed(1);
  const path = (values: readonly (number | null)[]) => {
    let pen = "M";
    return values
      .map((value, i) => {
        if (value === null) {
          pen = "M";
          return "";
        }
        const word = `${pen}${x(i)} ${y(value)}`;
        pen = "L";
        return word;
      })
      .join("");
  };
  return (
    <svg
      class="sparkline"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={label}
    >
      <line x1="0" x2={width} y1={y(60)} y2={y(60)} stroke="var(--edge)" />
      {column.width > 1 && <path d={path(min)} fill="none" stroke="var(--edge)" />}
      <path d={path(mean)} fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round" />
      {[...nonFinite.keys()].map((i) => (
        <path key={i} class="sparkline-bad" d={`M${x(i)} ${height - 7}l3.5 6h-7z`} />
      ))}
    </svg>
  );
}
