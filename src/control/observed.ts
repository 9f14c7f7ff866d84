/** The recent history of signals that rules need, as plain data that a checkpoint holds. */
import type { MetricValues } from "../types/records.ts";

export interface Series {
  /** The first value in the run. */
  readonly first: number;
  /** The first values in the run, oldest first, at most `longestBaseline`; absent in the state of an earlier version. */
  readonly firsts?: readonly number[];
  /** Number of observations so far, including those no longer held. */
  readonly count: number;
  /** The newest values, oldest first. */
  readonly values: readonly number[];
  /** The iteration of each of them; absent in the state of an earlier version. */
  readonly iterations?: readonly number[];
  /** The iteration of the newest value. */
  readonly iteration: number;
}

/** How many first values are held, for statistics that compare with their mean. */
export const longestBaseline = 10;

export type History = Readonly<Record<string, Series>>;

/** Adds one iteration's values of the signals that `lengths` names, each with the number of values to hold. */
export function observed(
  history: History,
  options: {
    readonly iteration: number;
    readonly signals: MetricValues;
    readonly lengths: ReadonlyMap<string, number>;
  },
): History {
  const { iteration, signals, lengths } = options;
  const added: Record<string, Series> = {};
  for (const [key, length] of lengths) {
    const value = signals[key];
    const series = history[key];
    if (value === undefined || series?.iteration === iteration) continue;
    const values = [...(series?.values ?? []), value].slice(-length);
    const iterations = [...(series?.iterations ?? []), iteration].slice(-length);
    const count = (series?.count ?? 0) + 1;
    const firsts = series === undefined ? [value] : (series.firsts ?? [series.first]);
    added[key] = {
      first: firsts[0]!,
      firsts: firsts.length === count - 1 && count <= longestBaseline ? [...firsts, value] : firsts,
      ...{ count, values, iterations, iteration },
    };
  }
  return { ...history, ...added };
}
