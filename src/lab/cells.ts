/** A cell: one piece of an experiment's work, as data. What kinds of work there are is the table in works.ts. */
import { createHash } from "node:crypto";
import { version } from "../util/own-version.ts";
import type { WorkName, Works } from "./works.ts";

/** One piece of work. Cells with equal work, input and needs have equal results. */
export type Cell = { [Name in WorkName]: CellOf<Name> }[WorkName];

export interface CellOf<Name extends WorkName> {
  /** Names the file of its result, and its run: letters, digits and dashes. */
  readonly name: string;
  readonly work: Name;
  readonly input: Parameters<Works[Name]>[0];
  /** Names of the cells whose results it reads. */
  readonly needs: readonly string[];
  /** False for quick work that is done again in every call, such as judging a run by the present rules. */
  readonly kept?: false;
}

export type ResultOf<Name extends WorkName> = Awaited<ReturnType<Works[Name]>>;

/** Results by the names of their cells. */
export type Results = ReadonlyMap<string, unknown>;

/** The result of a cell; undefined if it is not finished. */
export function resultOf<Name extends WorkName>(
  results: Results,
  _work: Name,
  cell: string,
): ResultOf<Name> | undefined {
  return results.get(cell) as ResultOf<Name> | undefined;
}

/** A cell's key: a kept result with a different key is made again. */
export function keyOf({ work, input, needs }: Cell, keys: ReadonlyMap<string, string>): string {
  const of = [version(), work, input, needs.map((need) => keys.get(need))];
  return createHash("sha256").update(JSON.stringify(of)).digest("hex");
}
