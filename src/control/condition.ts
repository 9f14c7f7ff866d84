/** Whether a condition holds on a history. It never holds for a NaN, or for a history that is too short. */
import { correlation, mean, quantile, slope } from "../rl/statistics.ts";
import { scoreUnitOf } from "./health/score-unit.ts";
import type { History, Series } from "./observed.ts";
import { type Condition, comparesWithFirst, type Rule, type Statistic } from "./rules/rule.ts";

/** How many values of the first signal a condition needs. */
export function lookback({ statistic, over }: Pick<Condition, "statistic" | "over">): number {
  if (comparesWithFirst.has(statistic)) return 1;
  return comparesWithBefore.has(statistic) ? over + 1 : over;
}

/** How many values of its signal a condition looks at in a rule's whole window. */
function lookedAt(condition: Condition, window: Rule["window"]): number {
  return lookback(condition) + window.of - 1;
}

/** The first iteration that a rule looks at: a window counts observations, and a measurement may be made every ten iterations. */
export function firstLookedAt({ conditions, window }: Rule, history: History, now: number): number {
  const oldest = conditions.map((condition) => {
    const looked = lookedAt(condition, window);
    const { iterations = [], values } = history[condition.signal] ?? { values: [] };
    return iterations.slice(-looked)[0] ?? now - Math.min(looked, values.length) + 1;
  });
  return Math.min(now, ...oldest);
}

const comparesWithBefore: ReadonlySet<Statistic> = new Set(["ratio_to_median", "below_minimum", "standard_errors"]);

/** How many values of each signal the rules need. */
export function historyLengths(rules: readonly Rule[]): Map<string, number> {
  const lengths = new Map<string, number>();
  const need = (signal: string, length: number) => lengths.set(signal, Math.max(length, lengths.get(signal) ?? 0));
  for (const { conditions, window } of rules) {
    for (const condition of conditions) {
      need(condition.signal, lookedAt(condition, window));
      if (condition.with !== null) need(condition.with, lookback(condition));
      if (condition.unit === "reference_std") for (const signal of referenceScale) need(signal, 1);
    }
  }
  return lengths;
}

/** The statistic of a condition; null if the history is too short. */
export function statisticOf(condition: Condition, history: History): number | null {
  const series = history[condition.signal];
  if (series === undefined || series.values.length < lookback(condition)) return null;
  const { statistic, over } = condition;
  const newest = series.values.at(-1)!;
  const window = series.values.slice(-over);
  const before = series.values.slice(-over - 1, -1);
  switch (statistic) {
    case "value":
      return newest;
    case "rise":
      return newest - mean(baselineOf(series, over));
    case "ratio_to_first":
      return ratio(newest, mean(baselineOf(series, over)));
    case "ratio_to_median":
      return ratio(newest, quantile(before, 0.5));
    case "ratio_to_max":
      return ratio(newest, Math.max(...window));
    case "below_minimum":
      return newest - Math.min(...before);
    case "change":
      return newest - window[0]!;
    case "range":
      return Math.max(...window) - Math.min(...window);
    case "slope":
      return slope(window);
    case "standard_errors": {
      const errors = otherOf(condition, history)?.values.slice(-over - 1);
      if (errors === undefined) return null;
      // Pooled: a few equal scores have an error of 0, and would make any difference infinite.
      const known = errors.filter(Number.isFinite);
      const error = Math.sqrt(mean(known.map((x) => x ** 2)) * (1 + 1 / over));
      return error > 0 ? (newest - mean(before)) / error : Number.NaN;
    }
    case "rise_errors": {
      const errors = otherOf(condition, history);
      if (errors === undefined) return null;
      const before = baselineOf(errors, over);
      const error = Math.hypot(...before) / before.length;
      return ratio(newest - mean(baselineOf(series, over)), Math.hypot(error, errors.values.at(-1)!));
    }
    case "correlation": {
      const other = otherOf(condition, history)?.values.slice(-over);
      return other === undefined || other.length < over ? null : correlation(window, other);
    }
    case "changed":
      return Number(!Object.is(newest, series.first));
  }
}

/** The first `over` observations of the run that are finite, without the newest one unless it is the only one. */
function baselineOf({ first, firsts = [first], count }: Series, over: number): readonly number[] {
  return firsts.slice(0, Math.max(1, Math.min(over, count - 1))).filter(Number.isFinite);
}

/** A ratio; NaN, for which no condition holds, if the denominator is 0. */
function ratio(value: number, to: number): number {
  return to === 0 ? Number.NaN : value / to;
}

function otherOf({ with: other }: Condition, history: History): Series | undefined {
  return other === null ? undefined : history[other];
}

export function holds(condition: Condition, history: History): boolean {
  const value = statisticOf(condition, history);
  if (value === null) return false;
  const scale = condition.unit === "reference_std" ? scoreScale(history) : 1;
  const { above, below } = condition;
  return above !== null ? value > above * scale : value < below! * scale;
}

const referenceScale = ["reward/score_std", "reward/score_p5", "reward/score_p95"] as const;

function scoreScale(history: History): number {
  const [std, p5, p95] = referenceScale.map((signal) => history[signal]?.first ?? Number.NaN) as [
    number,
    number,
    number,
  ];
  return scoreUnitOf({ std, p5, p95 });
}
