/** What reading rows found besides the rows: the shapes that they had, those left out by their labels, and those that cannot be used. */
import { counted } from "../util/counted.ts";
import { type RowFault, RowsError } from "./row-faults.ts";

export interface ReadReport {
  /** Number of rows by their shape. */
  readonly shapes: Record<string, number>;
  /** Number of rows by why they are left out, as their data set means it. */
  readonly leftOut: Record<string, number>;
  /** Faults of rows that are left out because `badRows` is `skip`. */
  readonly faults: RowFault[];
}

export function createReport(): ReadReport {
  return { shapes: {}, leftOut: {}, faults: [] };
}

/** Adds one to a count. */
export function count(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}

/** What was left out of these lists, as one report on one line; null if nothing was. */
export function describeLeftOut(reports: ReadonlyMap<string, ReadReport>): string | null {
  const byLabel = [...reports].flatMap(([key, { leftOut }]) =>
    Object.entries(leftOut).map(([why, rows]) => `${key}: ${counted(rows, "row")} left out ${why}`),
  );
  const faults = [...reports.values()].flatMap((report) => report.faults);
  if (faults.length === 0) return byLabel.length === 0 ? null : byLabel.join("; ");
  const rows = new Set(faults.map(({ place }) => `${place?.path}:${place?.line}`)).size;
  const lines = new RowsError(faults).message.split("\n");
  const list = (lines.length > 1 ? lines.slice(1) : lines).map((line) => line.trim());
  const bad = `${counted(rows, "row")} left out because they cannot be used (ballast data shows remedies): ${list.join("; ")}`;
  return [...byLabel, bad].join("; ");
}
