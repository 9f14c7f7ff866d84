/** Groups of runs that repeat each other with other seeds: which belong together, and their curves as a mean with a band. Pure. */
import { letterOf, type RunInk } from "../../hues.ts";
import type { Column } from "../../state/column.ts";
import { cannotMatter, type SettingDifference, settingText } from "./differences.ts";

export interface RunGroup {
  /** Its letter, and the hue of its first run. */
  readonly ink: RunInk;
  readonly ids: readonly string[];
}

export const groupings = ["each", "seed", "hand"] as const;
/** How runs are grouped: not at all, by configurations that are equal but for the seed, or by hand. */
export type Grouping = (typeof groupings)[number];

/** The groups as numbers, one for each run in its order; numbers begin at 0 and occur in order. `settings` are the rows that differ between the runs. */
export function groupsBySeed(settings: readonly SettingDifference[], count: number): number[] {
  const telling = settings.filter(({ key }) => key !== "seed" && !cannotMatter.test(key));
  return numbered(
    Array.from({ length: count }, (_, i) => JSON.stringify(telling.map(({ values }) => settingText(values[i])))),
  );
}

/** The groups that the address names by hand (`0,0,1`): runs without one stand alone. */
export function groupsByHand(words: readonly string[], count: number): number[] {
  return numbered(
    Array.from({ length: count }, (_, i) => (/^\d{1,2}$/.test(words[i] ?? "") ? words[i]! : `alone ${i}`)),
  );
}

function numbered(names: readonly string[]): number[] {
  const known = [...new Set(names)];
  return names.map((name) => known.indexOf(name));
}

/** Whether seeds are grouped unless the address says otherwise: there is more than one group, and one of several runs. */
export function isGroupedByDefault(numbers: readonly number[]): boolean {
  const groups = new Set(numbers).size;
  return groups > 1 && groups < numbers.length;
}

export function runGroups(inks: readonly RunInk[], numbers: readonly number[]): RunGroup[] {
  return [...new Set(numbers)].map((number, place) => {
    const own = inks.filter((_, i) => numbers[i] === number);
    const letter = letterOf(place);
    return { ink: { ...own[0]!, letter }, ids: own.map(({ id }) => id) };
  });
}

/** The runs' inks in their groups: `A1` and `A2` have the hue of A, and a run that stands alone is `B`. */
export function inksInGroups(inks: readonly RunInk[], groups: readonly RunGroup[]): RunInk[] {
  return inks.map((ink) => {
    const { ink: own, ids } = groups.find((group) => group.ids.includes(ink.id))!;
    return { ...own, id: ink.id, letter: ids.length > 1 ? `${own.letter}${ids.indexOf(ink.id) + 1}` : own.letter };
  });
}

/** The rows in which groups differ, by each group's first run; the seed stands for what differs within them. */
export function betweenGroups(settings: readonly SettingDifference[], numbers: readonly number[]): SettingDifference[] {
  const firsts = [...new Set(numbers)].map((number) => numbers.indexOf(number));
  return settings
    .filter(({ key }) => key !== "seed")
    .map(({ key, values }) => ({ key, values: firsts.map((i) => values[i]) }))
    .filter(({ values }) => new Set(values.map(settingText)).size > 1);
}

export interface GroupColumn {
  readonly mean: Column;
  /** The lowest and the highest run; undefined for a single one. */
  readonly band?: { readonly low: Column; readonly high: Column };
}

/**
 * The mean over runs, and the band from the lowest to the highest run. Where fewer runs have a value (one is shorter, or not finite), the others are
 * the mean. Buckets of different widths are merged into the widest.
 */
export function groupColumn(columns: readonly Column[]): GroupColumn {
  const [only] = columns;
  if (columns.length === 1) return { mean: only! };
  const width = Math.max(1, ...columns.filter(({ from }) => from.length > 0).map((column) => column.width));
  const buckets = new Map<number, { readonly values: number[]; bad: number; last: number }>();
  const bucketOf = (iteration: number) => {
    const at = Math.floor(iteration / width) * width;
    const known = buckets.get(at) ?? { values: [], bad: 0, last: Number.NaN };
    buckets.set(at, known);
    return known;
  };
  for (const column of columns) {
    const own = new Map<number, number[]>();
    column.from.forEach((iteration, i) => {
      const bucket = bucketOf(iteration);
      const value = column.mean[i] ?? null;
      const at = Math.floor(iteration / width) * width;
      if (value !== null) own.set(at, [...(own.get(at) ?? []), value]);
      const bad = column.nonFinite.get(i);
      if (bad === undefined) return;
      bucket.bad += bad.count;
      bucket.last = bad.last;
    });
    // Each run counts once in a bucket.
    for (const [at, values] of own) buckets.get(at)!.values.push(meanOf(values));
  }
  const from = [...buckets.keys()].sort((a, b) => a - b);
  const cells = from.map((at) => buckets.get(at)!);
  const column = (of: (values: readonly number[]) => number, withBad: boolean): Column => {
    const values = cells.map((cell) => (cell.values.length === 0 ? null : of(cell.values)));
    const bad = cells.flatMap((cell, i) => (cell.bad > 0 ? [[i, { count: cell.bad, last: cell.last }] as const] : []));
    return { width, from, mean: values, min: values, max: values, nonFinite: new Map(withBad ? bad : []) };
  };
  return {
    mean: column(meanOf, true),
    band: {
      low: column((values) => Math.min(...values), false),
      high: column((values) => Math.max(...values), false),
    },
  };
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
