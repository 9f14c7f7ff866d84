/** The newest health of a run, and what lowered it, from its record. */
import { type Health, health, healthLengths } from "../control/health/index.ts";
import type { History, Series } from "../control/observed.ts";
import type { Store } from "../store/index.ts";
import type { MetricValues } from "../types/records.ts";

/** Iterations of history: a measurement taken every ten iterations occurs in it forty times. */
const lookback = 400;

/** The run's health; null before PPO's first iteration, and if the run's version did not record health. The numbers are the trainer's own. */
export function healthOf(store: Store, runId: string): Health | null {
  return store.snapshot(() => {
    const total = store.series(runId, "ppo", "health/total", { maxPoints: 1 }).points.at(-1);
    const iteration = total && newestOf(store, runId);
    if (iteration === undefined) return null;
    const signals = signalsOf(store, { runId, iteration });
    const found = health({ signals, history: historyOf(store, runId, iteration) });
    const parts = Object.entries(signals).filter(([key]) => /^health\/(?!total$)/.test(key));
    return {
      total: signals["health/total"] ?? found.total,
      parts: Object.fromEntries(parts.map(([key, value]) => [key.slice("health/".length), value])),
      lowered: found.lowered,
    };
  });
}

/** The signals of an iteration; the evaluation after the last one is recorded as one more, which stands on it. */
function signalsOf(
  store: Store,
  { runId, iteration }: { readonly runId: string; readonly iteration: number },
): MetricValues {
  const own: MetricValues = store.values(runId, "ppo", iteration);
  const isEvaluation = own["reward/score_mean"] === undefined;
  return isEvaluation ? { ...store.values(runId, "ppo", iteration - 1), ...own } : own;
}

/** The newest iteration with a health score. */
function newestOf(store: Store, runId: string): number | undefined {
  return store.latest(runId, "ppo", ["health/total"])[0]?.iteration;
}

function historyOf(store: Store, runId: string, iteration: number): History {
  const entries = [...healthLengths].flatMap(([key, length]): [string, Series][] => {
    const read = (from: number, maxPoints: number) =>
      store.series(runId, "ppo", key, { from, to: iteration + 1, maxPoints }).points;
    const recent = read(Math.max(0, iteration + 1 - lookback), Number.POSITIVE_INFINITY);
    const newest = recent.at(-1);
    if (newest === undefined) return [];
    const count = read(0, 1).reduce((sum, point) => sum + point.count, 0);
    const first = firstOf(store, { runId, key }) ?? newest.last;
    const values = recent.slice(-length).map(({ last }) => last);
    return [[key, { first, count, values, iteration: newest.from }]];
  });
  return Object.fromEntries(entries);
}

function firstOf(store: Store, { runId, key }: { readonly runId: string; readonly key: string }): number | undefined {
  // A narrow range first: metrics of every iteration are present in iteration 0.
  for (const to of [1, lookback]) {
    const [first] = store.series(runId, "ppo", key, { to, maxPoints: Number.POSITIVE_INFINITY }).points;
    if (first !== undefined) return first.last;
  }
  return undefined;
}
