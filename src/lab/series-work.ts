/** Reads recorded series of a run that an experiment has trained, for figures that are computed anew in every call. */
import type { GoldPoint } from "../control/health/index.ts";
import { databaseOf, openStore } from "../store/index.ts";
import type { WholeRun } from "./run-work.ts";
import type { Tools } from "./work-tools.ts";

export interface SeriesInput {
  /** The cell of the run. */
  readonly run: string;
  /** Keys of PPO's metrics. */
  readonly keys: readonly string[];
}

/** Points by key; a key that was never recorded has none. */
export type RunSeries = Readonly<Record<string, readonly GoldPoint[]>>;

export async function readSeries({ run, keys }: SeriesInput, { folder, results }: Tools): Promise<RunSeries> {
  const { run: id } = results[run] as WholeRun;
  const store = openStore(databaseOf(folder), { readonly: true });
  try {
    return Object.fromEntries(
      keys.map((key) => {
        const { points } = store.series(id, "ppo", key, { maxPoints: Number.POSITIVE_INFINITY });
        return [key, points.map(({ from, last }) => ({ iteration: from, value: last }))];
      }),
    );
  } finally {
    store.close();
  }
}
