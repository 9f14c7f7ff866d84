/** Rows that cannot be used, told together: where each of them stands, what is wrong with it, what to do. */
import { counted } from "../util/counted.ts";
import { DataError } from "../util/errors.ts";
import { groupedBy } from "../util/group.ts";
import { placeOf, type RowPlace } from "./row-types.ts";

export interface RowFault {
  /** null for a row that was not read from a file, or a fault of no single row. */
  readonly place: RowPlace | null;
  readonly problem: string;
  /** The beginning of what stands in the column, where that tells rows with the same problem apart. */
  readonly value?: string | undefined;
  readonly hint?: string | undefined;
}

/** One row or many of them. Faults of different files may stand together. */
export class RowsError extends DataError {
  readonly faults: readonly RowFault[];

  constructor(found: readonly RowFault[], options?: ErrorOptions) {
    // Lists may share rows.
    const faults = [
      ...new Map(found.map((fault) => [JSON.stringify([fault.place, fault.problem, fault.value]), fault])).values(),
    ];
    const groups = groupsOf(faults);
    super(
      faults.length === 1 ? lineOf(groups[0]!) : severalLines(groups, faults.length),
      [...new Set(groups.slice(0, groupsShown).flatMap(({ first }) => first.hint ?? []))].join("\n") || undefined,
      options,
    );
    this.faults = faults;
  }
}

/** Uses every item, then throws one RowsError with the faults of all that could not be used. Other errors end it at once. */
export function useAll<Item, Result>(items: Iterable<Item>, use: (item: Item) => Result): Result[] {
  const results: Result[] = [];
  const faults: RowFault[] = [];
  for (const item of items) {
    try {
      results.push(use(item));
    } catch (error) {
      if (!(error instanceof RowsError)) throw error;
      for (const fault of error.faults) faults.push(fault);
    }
  }
  if (faults.length > 0) throw new RowsError(faults);
  return results;
}

/** Kinds of faults that one report tells of, and stretches of lines that it names of each: a terminal's height, not a log. */
const groupsShown = 5;
const stretchesShown = 200;

interface Group {
  readonly first: RowFault;
  readonly lines: number[];
  count: number;
}

/** Faults of one file that say the same stand in one line. */
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
  const left = groups.slice(groupsShown).reduce((total, group) => total + group.count, 0);
  const ofRows = groups.every(({ first }) => first.place);
  return [
    ofRows ? `${counted(count, "row")} cannot be used` : `${counted(count, "fault")} in the data`,
    ...groups.slice(0, groupsShown).map((group) => `  ${lineOf(group)}`),
    ...(left > 0 ? [`  and ${counted(left, "row")} more with other faults`] : []),
  ].join("\n");
}

function lineOf({ first: { place, problem, value }, lines, count }: Group): string {
  const where = place ? `${place.path}:${stretches(lines)}: ` : "";
  if (value === undefined) return `${where}${problem}`;
  return `${where}${problem}${count > 1 ? `, the first of them ${value}` : `: ${value}`}`;
}

/** Where rows were read, as `a.jsonl:3, 7-9`; empty for rows that were made. */
export function placesOf(rows: readonly object[]): string {
  const places = rows.map(placeOf).filter((place) => place !== null);
  const files = groupedBy(places, ({ path }) => path);
  return [...files].map(([path, list]) => `${path}:${stretches(list.map(({ line }) => line))}`).join("; ");
}

/** Numbers in rising order as `3, 7-9`. */
function stretches(lines: readonly number[]): string {
  const parts: { from: number; to: number }[] = [];
  for (const line of lines) {
    const last = parts.at(-1);
    if (last && line === last.to + 1) last.to = line;
    else parts.push({ from: line, to: line });
  }
  const shown = parts.slice(0, stretchesShown).map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`));
  return shown.join(", ") + (parts.length > stretchesShown ? ", ..." : "");
}
