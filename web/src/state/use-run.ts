/** Hooks with the data of a run. */
import { useEffect, useMemo } from "preact/hooks";
import type { Stage } from "../../../src/types/records.ts";
import { openRun, type RunData } from "./run-data.ts";

/** The run's data, held while the component exists. */
export function useRun(id: string): RunData {
  const data = useMemo(() => openRun(id), [id]);
  useEffect(() => data.hold(), [data]);
  return data;
}

/**
 * Fetches these metrics and keeps them up to date while the component exists: for a `RunData` over the charts' range, for its `whole` over the whole
 * run.
 */
export function useColumns(data: Pick<RunData, "want">, stage: Stage, keys: readonly string[]): void {
  const list = keys.join(",");
  useEffect(() => data.want(stage, list === "" ? [] : list.split(",")), [data, stage, list]);
}
