/** The rows of a file, whatever its format: JSONL, a JSON array, CSV, Parquet or plain text, each also as gzip except Parquet. */
import { csvRows } from "./csv.ts";
import { filesOf, type Paths } from "./data-files.ts";
import { type OpenFile, withFile } from "./file-bytes.ts";
import { type FileFormat, formatOf } from "./file-format.ts";
import { jsonlRows, jsonRows } from "./jsonl.ts";
import { parquetRows } from "./parquet.ts";
import { type RowFault, RowsError, wholeFile } from "./row-faults.ts";
import type { SourceRow, UnreadRow } from "./source-row.ts";
import { textRows } from "./text-file.ts";

const readers: Readonly<Record<FileFormat["kind"], (file: OpenFile, format: FileFormat) => Iterable<UnreadRow>>> = {
  jsonl: jsonlRows,
  json: jsonRows,
  csv: (file, { delimiter }) => csvRows(file, delimiter!),
  parquet: parquetRows,
  text: textRows,
};

/**
 * Every row of the files, at most `limit` of them (0 means all), in memory that does not grow with the files.
 * @throws DataError if a file cannot be read; RowsError if it is in a format that is not read, is damaged, or has no rows
 */
export function* rowsOfFiles(paths: Paths, limit = 0): Generator<UnreadRow> {
  let rows = 0;
  for (const path of filesOf(paths)) {
    let inFile = 0;
    for (const row of withFile(path, (file) => rowsIn(file))) {
      inFile++;
      yield row;
      if (++rows === limit) return;
    }
    if (inFile === 0) throw wholeFile(`${path} is empty`, "it needs at least one row (docs/data.md)");
  }
}

function rowsIn(file: OpenFile): Iterable<UnreadRow> {
  const format = formatOf(file);
  return readers[format.kind](file, format);
}

/** The format of a file in words, as `JSONL` or `CSV, gzip`. */
export function formatName(path: string): string {
  for (const name of withFile(path, (file) => [`${formatOf(file).name}${file.gzip ? ", gzip" : ""}`])) return name;
  return "";
}

export interface ReadOptions<Row> {
  readonly limit?: number;
  /** Returns what to keep of a row; null keeps nothing. */
  readonly use: (row: SourceRow) => Row | null;
  /** Collects the faults of rows that cannot be used; without it they are thrown. */
  readonly skipped?: { readonly faults: RowFault[] };
}

/**
 * Passes every row to `use`.
 * @throws RowsError with every row that cannot be read and those that `use` throws; what `rowsOfFiles` throws
 */
export function readFiles<Row>(paths: Paths, { limit = 0, use, skipped }: ReadOptions<Row>): Row[] {
  const rows: Row[] = [];
  const faults = skipped?.faults ?? [];
  for (const unread of rowsOfFiles(paths, limit)) {
    try {
      const row = use(unread.read());
      if (row !== null) rows.push(row);
    } catch (error) {
      if (!(error instanceof RowsError)) throw error;
      for (const fault of error.faults) faults.push(fault);
    }
  }
  if (skipped === undefined && faults.length > 0) throw new RowsError(faults);
  return rows;
}
