/** Hooks with the data of several runs. */
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Stage } from "../../../src/types/records.ts";
import { openRun, type RunData } from "./run-data.ts";

/** The runs' data, held while the component exists; a run that stays in the list is not fetched again. */
export function useRunsData(ids: readonly string[]): readonly RunData[] {
  const runs = useMemo(() => ids.map(openRun), [ids.join()]);
  useHeld(() => runs.map((run) => run.hold()), [runs]);
  return runs;
}

/** Fetches these metrics of each run and keeps them up to date. `of` selects a run's charts, or its `whole`. */
export function useColumnsOfAll(
  runs: readonly RunData[],
  stage: Stage,
  keys: readonly string[],
  of: (run: RunData) => Pick<RunData, "want">,
): void {
  useHeld(() => runs.map((run) => of(run).want(stage, keys)), [runs, stage, keys.join(), of]);
}

/** Takes new ones before releasing old ones, so that what is in both is never released. */
function useHeld(take: () => readonly (() => void)[], when: readonly unknown[]): void {
  const held = useRef<readonly (() => void)[]>([]);
  useEffect(() => {
    const before = held.current;
    held.current = take();
    for (const free of before) free();
  }, when);
  useEffect(
    () => () => {
      for (const free of held.current) free();
    },
    [],
  );
}
