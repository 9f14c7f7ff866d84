/** Reads a run's PPO history and what the controller's advice needs of its configuration from the store. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, parseResolvedConfig } from "../config/index.ts";
import type { Point, RunHistory } from "../control/diagnosis/history.ts";
import { openStore, type Store } from "../store/index.ts";
import { UsageError } from "../util/errors.ts";
import { findRun, type RunPlace } from "./workspace.ts";

export interface ReadRun {
  readonly place: RunPlace;
  readonly config: Config;
  /** PPO's metrics, every iteration. */
  readonly history: RunHistory;
}

/** `read` gets what else it needs from the store. Throws UsageError for a run that has no PPO or is not in the database. */
export function readRunHistory<T>(
  run: string,
  workspace: string,
  read: (store: Store, place: RunPlace) => T,
): ReadRun & { readonly more: T } {
  const place = findRun(run, workspace);
  const config = parseResolvedConfig(readFileSync(join(place.folder, "config.json"), "utf8"), place.folder);
  if (!config.ppo)
    throw new UsageError(
      `run ${place.id} has no PPO`,
      "Its stages are shown by `ballast runs`; only PPO is judged here.",
    );
  const path = join(place.workspace, "ballast.db");
  if (!existsSync(path)) throw new UsageError(`there is no database beside run ${place.id}`, `Expected ${path}.`);
  const store = openStore(path, { readonly: true });
  try {
    const history: Record<string, Point[]> = {};
    for (const { stage, key } of store.keys(place.id)) {
      if (stage !== "ppo") continue;
      const { points } = store.series(place.id, "ppo", key, { maxPoints: Number.POSITIVE_INFINITY });
      history[key] = points.map(({ from, last }) => ({ iteration: from, value: last }));
    }
    return { place, config, history, more: read(store, place) };
  } finally {
    store.close();
  }
}
