/** Files of rows as an answer names them: with column names beside them, and files of the same kind together. */
import { existsSync } from "node:fs";
import { fieldsOfRows } from "../../../data/index.ts";
import { UsageError } from "../../../util/errors.ts";
import { meant } from "../../../util/nearest.ts";
import { fromHome } from "../../../util/platform.ts";
import type { Terminal } from "../../terminal.ts";
import { proposedFields, type Reader, type UnderstoodRows, understand } from "./understood-rows.ts";

/** Words of an answer: `name=column` renames a column, every other word is a file. Throws UsageError for a name that is no field. */
export function rowsNamed(words: readonly string[]): {
  readonly files: string[];
  readonly fields: Record<string, string>;
} {
  const bare = words.map((word) => word.replace(/^(["'])(.*)\1$/, "$2"));
  const isField = (word: string) => fieldsOfRows.includes(word.split(/=./s)[0]!) && /=./s.test(word);
  const wrong = bare.find((word) => /^\w+=[^/]*$/.test(word) && !isField(word) && !existsSync(word));
  if (wrong !== undefined)
    throw new UsageError(
      `${wrong} names no field${meant(wrong.split("=")[0]!, fieldsOfRows)}`,
      "Ballast's name comes first, then the file's column: prompt=question completion=answer",
    );
  const fields = bare.filter(isField).map((word) => word.split(/=(.*)/s).slice(0, 2) as [string, string]);
  return {
    files: bare.filter((word) => !isField(word)).map((file) => fromHome(file)),
    fields: Object.fromEntries(fields),
  };
}

/**
 * Reads each file, with the names that its columns propose if they are complete, and puts files of the same use and names together. Throws
 * DataError or UsageError for what cannot be used.
 */
export function readRows(
  files: readonly string[],
  fields: Readonly<Record<string, string>>,
  { reader, terminal }: { readonly reader: Reader; readonly terminal: Terminal },
): UnderstoodRows[] {
  if (files.length === 0) throw new UsageError("no file is named", "Give the path of a file of rows.");
  const single = files.map((file) => understandOrPropose([file], fields, { reader, terminal }));
  const groups = new Map<string, UnderstoodRows[]>();
  for (const one of single) {
    const key = JSON.stringify([one.use, one.fields]);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const uses = [...groups.values()].map(([first]) => first!.use);
  const twice = uses.find((use, i) => uses.indexOf(use) < i);
  if (twice !== undefined)
    throw new UsageError(
      `two files of ${twice} have different columns`,
      "Give them the same column names, or name one of them.",
    );
  return [...groups.values()].map((group) => {
    if (group.length === 1) return group[0]!;
    const paths = group.flatMap((one) => one.paths);
    return understand(paths, group[0]!.fields[group[0]!.use]!, reader);
  });
}

function understandOrPropose(
  paths: readonly string[],
  fields: Readonly<Record<string, string>>,
  { reader, terminal }: { readonly reader: Reader; readonly terminal: Terminal },
): UnderstoodRows {
  try {
    return understand(paths, fields, reader);
  } catch (error) {
    const proposed = Object.keys(fields).length === 0 ? proposedFields(error) : null;
    if (proposed === null) throw error;
    const found = understand(paths, proposed, reader);
    const names = Object.entries(proposed).map(([name, column]) => `${column} as ${name}`);
    terminal.note(`  ${paths.join(", ")}: the columns are read by their names, ${names.join(", ")}`);
    return found;
  }
}
