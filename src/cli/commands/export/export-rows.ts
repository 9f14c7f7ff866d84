/** Writes metric rows as CSV and JSON lines. A value that is not finite has a flag, as in the store: 1 NaN, 2 +Infinity, 3 -Infinity. */
import type { MetricRow } from "../../../store/index.ts";
import { csvText } from "../../../util/csv-cell.ts";

/** The columns in order. */
export const COLUMNS = ["run", "attempt", "stage", "iteration", "key", "value", "flag", "superseded"] as const;

export interface ExportRow extends MetricRow {
  readonly run: string;
}

export function flagOf(value: number): number {
  if (Number.isFinite(value)) return 0;
  if (Number.isNaN(value)) return 1;
  return value > 0 ? 2 : 3;
}

/** A line without its end. A value that is not finite is an empty cell. */
export function csvLine({ run, attempt, stage, iteration, key, value, superseded }: ExportRow): string {
  const finite = Number.isFinite(value) ? String(value) : "";
  const numbers = [flagOf(value), superseded ? 1 : 0];
  return [csvText(run), attempt, csvText(stage), iteration, csvText(key), finite, ...numbers].join(",");
}

/** A row as JSON; `value` is null if it is not finite. */
export function jsonRow(row: ExportRow): Record<(typeof COLUMNS)[number], unknown> {
  const { run, attempt, stage, iteration, key, value, superseded } = row;
  const finite = Number.isFinite(value) ? value : null;
  return { run, attempt, stage, iteration, key, value: finite, flag: flagOf(value), superseded };
}
