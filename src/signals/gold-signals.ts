/** Signals of a task's gold check: measurements that are never part of a reward. */

import { correlation, mean } from "../rl/statistics.ts";
import type { Signals } from "./signal-values.ts";

/** One response's verdicts by the name of the check; empty if no check applies to its prompt. */
export type Verdicts = Readonly<Record<string, boolean>>;

/** 1 if a response passes, 0 if it fails, the mean if several checks apply, null if none does. */
export function goldOf(verdicts: Verdicts): number | null {
  const values = Object.values(verdicts);
  return values.length === 0 ? null : mean(values.map(Number));
}

/** Each check's share of passes over the responses that it applies to, under keys that start with `<prefix>`. */
export function checkSignals(prefix: string, verdicts: readonly Verdicts[]): Signals {
  const names = [...new Set(verdicts.flatMap(Object.keys))];
  return Object.fromEntries(
    names.map((name) => [
      `${prefix}/${name}`,
      mean(verdicts.flatMap((one) => (name in one ? [Number(one[name])] : []))),
    ]),
  );
}

/** Largest fall of any check from `first` to `now`, which the mean over checks can hide. Negative if all checks rose. */
export function checkFall(first: Signals, now: Signals): number {
  return Math.max(...Object.entries(now).map(([name, share]) => (first[name] ?? share) - share));
}

/** Gold signals of a rollout: each check, the mean over responses, and its Pearson correlation with the score. */
export function goldSignals(scores: readonly number[], verdicts: readonly Verdicts[]): Signals {
  const judged = verdicts.flatMap((one, b) => {
    const gold = goldOf(one);
    return gold === null ? [] : [{ gold, score: scores[b]! }];
  });
  if (judged.length === 0) return {};
  const gold = judged.map((one) => one.gold);
  return {
    "gold/mean": mean(gold),
    ...checkSignals("gold", verdicts),
    "reward/gold_correlation": correlation(
      judged.map(({ score }) => score),
      gold,
    ),
  };
}
