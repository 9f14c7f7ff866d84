/** Hooks by which views read a run. */
import { useEffect, useMemo } from "preact/hooks";
import type { Stage } from "../../../src/types/records.ts";
import { openRun, type RunData } from "./run-data.ts";

/** The run's data, held for as long as the component is there. */
export function useRun(id: string): RunData {
  const data = useMemo(() => openRun(id), [id]);
  useEffect(() => data.hold(), [data]);
  return data;
}

/**
 * Fetches these metrics and keeps them up to date for as long as the component is there: those of a `RunData`, over what charts are zoomed
 * to, or those of its `whole`.
 */
export function useColumns(data: Pick<RunData, "want">, stage: Stage, keys: readonly string[]): void {
  const list = keys.join(",");
  useEffect(() => data.want(stage, list === "" ? [] : list.split(",")), [data, stage, list]);
}
