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

/** The standard error of each check's share, of independent responses (Agresti and Coull 1998), by the keys of `checkSignals`. */
export function checkErrors(shares: Signals, verdicts: readonly Verdicts[]): Signals {
  const counts = new Map<string, number>();
  for (const name of verdicts.flatMap(Object.keys)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries(
    Object.entries(shares).map(([key, share]) => {
      const n = counts.get(key.slice(key.lastIndexOf("/") + 1))!;
      const smoothed = (share * n + 2) / (n + 4);
      return [key, Math.sqrt((smoothed * (1 - smoothed)) / (n + 4))];
    }),
  );
}

/** Standard error of the mean of independent numbers with these errors. */
export function errorOfMean(errors: readonly number[]): number {
  return Math.hypot(...errors) / errors.length;
}

/** Largest fall of any check from `first` to `now`, in standard errors of its difference. */
export function checkFallErrors(
  { first, now }: { readonly first: Signals; readonly now: Signals },
  verdicts: readonly Verdicts[],
): number {
  const [before, after] = [checkErrors(first, verdicts), checkErrors(now, verdicts)];
  const falls = Object.entries(now).map(
    ([key, share]) => ((first[key] ?? share) - share) / Math.hypot(before[key] ?? after[key]!, after[key]!),
  );
  return Math.max(...falls);
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
