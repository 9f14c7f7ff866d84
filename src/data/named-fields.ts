/** Checks the user's names of fields and columns before rows are read: what is mistyped is named, with what it may have meant. */
import { UsageError } from "../util/errors.ts";
import { meant } from "../util/nearest.ts";
import { type Paths, pathsText } from "./data-files.ts";
import type { FieldNames, RowUse } from "./published-shapes.ts";
import { rowsOfFiles } from "./read-file.ts";
import { RowsError, wholeFile } from "./row-faults.ts";
import { demonstrations, preferences, prompts } from "./row-kinds.ts";

const kinds = [preferences, demonstrations, prompts];
/** Every field that rows of some kind have. */
export const fieldsOfRows: readonly string[] = [...new Set(kinds.flatMap(({ known }) => known))];

/** Rows whose columns are read. */
const rowsRead = 20;

/** Throws UsageError for a name that is a field of no kind of rows. */
function checkField(name: string): void {
  if (fieldsOfRows.includes(name)) return;
  throw new UsageError(
    `${name} is not a field of rows${meant(name, fieldsOfRows)}`,
    `the fields are ${fieldsOfRows.join(", ")}; a field stands before the file's column: prompt=question`,
  );
}

/** The uses that have all of these fields. Throws UsageError for a field that none has; all uses if no single one has them together. */
export function usesWith(fields: FieldNames, uses: readonly RowUse[]): readonly RowUse[] {
  const names = Object.keys(fields);
  names.forEach(checkField);
  const fitting = uses.filter((use) => {
    const { known } = kinds.find((kind) => kind.use === use)!;
    return names.every((name) => known.includes(name));
  });
  return fitting.length > 0 ? fitting : uses;
}

/** Throws RowsError, with the file's columns and the nearest, if the first rows lack a column that `fields` names. */
export function checkColumns(path: Paths, fields: FieldNames): void {
  if (Object.keys(fields).length === 0) return;
  const columns = new Set<string>();
  let rows = 0;
  for (const row of rowsOfFiles(path, rowsRead)) {
    rows++;
    try {
      for (const column of Object.keys(row.read().value)) columns.add(column);
    } catch (error) {
      // Rows have faults of their own.
      if (error instanceof RowsError) return;
      throw error;
    }
  }
  for (const [field, column] of Object.entries(fields)) {
    if (columns.has(column)) continue;
    const which = rows < rowsRead ? pathsText(path) : `${pathsText(path)} (of the first ${rowsRead} rows)`;
    throw missingColumn({ field, column, columns: [...columns], which });
  }
}

/** The error of a column that no row of the files has. */
export function missingColumn({
  field,
  column,
  columns,
  which,
}: {
  readonly field: string;
  readonly column: string;
  readonly columns: readonly string[];
  /** The files, in words. */
  readonly which: string;
}): RowsError {
  const list = columns.map((name) => `"${name}"`).join(", ") || "no columns";
  return wholeFile(
    `the column "${column}" is missing from every row of ${which}${meant(column, columns)}`,
    `the rows have ${list}; name the one that is the ${field}: --field ${field}=COLUMN, in a configuration below fields`,
  );
}
