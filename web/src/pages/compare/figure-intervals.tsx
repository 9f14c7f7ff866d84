/** The intervals of one figure on a scale of their own: shares from 0 to 1, other figures around their values. */
import { type Interval, Intervals, scaleOf, Ticks } from "../../components/intervals.tsx";
import { figure, percent } from "../../format.ts";

/** Nothing without an interval. */
export function FigureIntervals({
  items,
  isShare,
}: {
  readonly items: readonly Interval[];
  readonly isShare: boolean;
}) {
  if (items.length === 0) return null;
  const scale = isShare ? { from: 0, to: 1, grid: [0, 0.5, 1] } : scaleOf(items);
  const show = (value: number) => (isShare ? percent(value) : figure(value, 3));
  const says = items.map(({ label, mean, low, high }) => `${label} ${show(mean)}, ${show(low)} to ${show(high)}`);
  return (
    <>
      <Intervals items={items} scale={scale} grid={scale.grid} label={says.join("; ")} />
      <Ticks grid={scale.grid} scale={scale} text={(value) => (isShare ? percent(value, 0) : figure(value, 3))} />
    </>
  );
}
