/** Reads from the store a run's PPO history and the parts of its configuration that the controller's advice needs. */

import { existsSync } from "node:fs";
import type { Config } from "../config/index.ts";
import type { Point, RunHistory } from "../control/diagnosis/diagnosis-history.ts";
import { databaseOf, type Store, withStore } from "../store/index.ts";
import { UsageError } from "../util/errors.ts";
import { configOf, findRun, type RunPlace } from "./places.ts";

export interface ReadRun {
  readonly place: RunPlace;
  readonly config: Config;
  /** PPO's metrics of every iteration. */
  readonly history: RunHistory;
}

/** Reads a run's history; `read` fetches anything else from the same store. Throws UsageError if the run has no PPO or is not in the database. */
export function readRunHistory<T>(
  run: string,
  workspace: string,
  read: (store: Store, place: RunPlace) => T,
): ReadRun & { readonly more: T } {
  const place = findRun(run, workspace);
  const config = configOf(place);
  if (!config.ppo)
    throw new UsageError(
      `run ${place.id} has no PPO`,
      "Its stages are shown by `ballast runs`; only PPO is judged here.",
    );
  const path = databaseOf(place.workspace);
  if (!existsSync(path)) throw new UsageError(`there is no database beside run ${place.id}`, `Expected ${path}.`);
  return withStore(place.workspace, (store) => {
    return { place, config, history: historyOf(store, place.id), more: read(store, place) };
  });
}

/** PPO's metrics of every iteration; for a longer run the last of each bucket, so that there are at most `maxPoints`. */
export function historyOf(
  store: Store,
  runId: string,
  { maxPoints = Number.POSITIVE_INFINITY }: { readonly maxPoints?: number } = {},
): RunHistory {
  const history: Record<string, Point[]> = {};
  const newest = store.newestIteration(runId, "ppo") ?? 0;
  for (const { stage, key } of store.keys(runId)) {
    if (stage !== "ppo") continue;
    const { points } = store.series(runId, "ppo", key, { maxPoints });
    history[key] = points.map(({ to, last }) => ({ iteration: Math.min(to - 1, newest), value: last }));
  }
  return history;
}
