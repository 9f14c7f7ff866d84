/** Rows that cannot be used, reported together: where each is, what is wrong with it, and what to do. */
import { counted } from "../util/counted.ts";
import { cut } from "../util/cut.ts";
import { DataError } from "../util/errors.ts";
import { groupedBy } from "../util/group.ts";
import { placeOf, type RowPlace } from "./row-types.ts";

export interface RowFault {
  /** The row's place; null if it was not read from a file, or if the fault is not in a single row. */
  readonly place: RowPlace | null;
  readonly problem: string;
  /** The beginning of the column's content, if it tells rows with the same problem apart. */
  readonly value?: string | undefined;
  readonly hint?: string | undefined;
}

/** Faults of one or more rows, possibly from several files. */
export class RowsError extends DataError {
  readonly faults: readonly RowFault[];

  constructor(found: readonly RowFault[], options?: ErrorOptions) {
    // Two errors may share rows.
    const faults = [
      ...new Map(
        found.map((fault) => [
          JSON.stringify([fault.place?.path, fault.place?.line, fault.problem, fault.value]),
          fault,
        ]),
      ).values(),
    ];
    const groups = groupsOf(faults);
    super(
      faults.length === 1 ? lineOf(groups[0]!) : severalLines(groups, faults.length),
      hintsOf(groups).join("\n") || undefined,
      options,
    );
    this.faults = faults;
  }
}

/** A fault of a whole file, reported beside the faults of other files' rows. */
export function wholeFile(problem: string, hint: string, options?: ErrorOptions): RowsError {
  return new RowsError([{ place: null, problem, hint }], options);
}

/**
 * Applies `use` to every item, then throws one RowsError with the faults of all that failed. Rows whose place collects its faults are left out
 * instead. Any other error ends it at once.
 */
export function useAll<Item, Result>(items: Iterable<Item>, use: (item: Item) => Result): Result[] {
  const results: Result[] = [];
  const faults: RowFault[] = [];
  for (const item of items) {
    try {
      results.push(use(item));
    } catch (error) {
      if (!(error instanceof RowsError)) throw error;
      for (const fault of error.faults) (fault.place?.skipped?.faults ?? faults).push(fault);
    }
  }
  if (faults.length > 0) throw new RowsError(faults);
  return results;
}

/**
 * Most kinds of faults with a line of their own, and most stretches of lines named for each. All mistakes should be known in one round, so these only
 * bound the report on a file that is not rows at all.
 */
const groupsShown = 1_000;
const stretchesShown = 20_000;
/** Most characters of one kind among several: a row may have hundreds of columns. */
const longestKind = 400;
/** Most hints: above this number they differ only in a name. */
const hintsShown = 20;

interface Group {
  readonly first: RowFault;
  readonly lines: number[];
  count: number;
}

/** Faults grouped into lines: faults of one file with the same message share a line. */
function groupsOf(faults: readonly RowFault[]): Group[] {
  const groups = new Map<string, Group>();
  for (const fault of faults) {
    const key = JSON.stringify([fault.place?.path, fault.problem]);
    const group = groups.get(key) ?? { first: fault, lines: [], count: 0 };
    groups.set(key, group);
    group.count++;
    if (fault.place) group.lines.push(fault.place.line);
  }
  return [...groups.values()];
}

function severalLines(groups: readonly Group[], count: number): string {
  const left = groups.slice(groupsShown);
  const ofRows = groups.every(({ first }) => first.place);
  return [
    ofRows ? `${counted(count, "row")} cannot be used` : `${counted(count, "fault")} in the data`,
    ...groups.slice(0, groupsShown).map((group) => `  ${lineOf(group, longestKind)}`),
    ...linesByFile(left).map((where) => `  ${where}: other faults`),
  ].join("\n");
}

function hintsOf(groups: readonly Group[]): string[] {
  const hints = [...new Set(groups.flatMap(({ first }) => first.hint ?? []))];
  const left = hints.length - hintsShown;
  return left > 0 ? [...hints.slice(0, hintsShown), `and ${left} more like these`] : hints;
}

/** The lines of all groups, as `a.jsonl:3, 7-9`. */
function linesByFile(groups: readonly Group[]): string[] {
  const inFiles = groups.filter(({ first }) => first.place);
  return [...groupedBy(inFiles, ({ first }) => first.place!.path)].map(([path, list]) => {
    return `${path}:${stretches(list.flatMap((group) => group.lines))}`;
  });
}

function lineOf({ first: { place, problem, value }, lines, count }: Group, longest = Infinity): string {
  const where = place ? `${place.path}:${stretches(lines)}: ` : "";
  if (value === undefined) return `${where}${cut(problem, longest)}`;
  return `${where}${cut(`${problem}${count > 1 ? `, the first of them ${value}` : `: ${value}`}`, longest)}`;
}

/** Where rows were read, as `a.jsonl:3, 7-9`; empty for rows that were generated. */
export function placesOf(rows: readonly object[]): string {
  const places = rows.map(placeOf).filter((place) => place !== null);
  const files = groupedBy(places, ({ path }) => path);
  return [...files].map(([path, list]) => `${path}:${stretches(list.map(({ line }) => line))}`).join("; ");
}

/** Formats numbers as `3, 7-9`: ascending, each once. Training shuffles rows. */
function stretches(lines: readonly number[]): string {
  const parts: { from: number; to: number }[] = [];
  for (const line of [...new Set(lines)].sort((a, b) => a - b)) {
    const last = parts.at(-1);
    if (last && line === last.to + 1) last.to = line;
    else parts.push({ from: line, to: line });
  }
  const shown = parts.slice(0, stretchesShown).map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`));
  return shown.join(", ") + (parts.length > stretchesShown ? ", ..." : "");
}
