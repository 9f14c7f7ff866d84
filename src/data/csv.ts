/** Rows of a CSV or TSV file: a header names the columns, an empty cell is an absent one, and a row may span lines. */
import { type CsvError, Parser } from "csv-parse";
import { messageOf } from "../util/errors.ts";
import { quote } from "../util/quote.ts";
import type { OpenFile } from "./file-bytes.ts";
import { RowsError, wholeFile } from "./row-faults.ts";
import type { RowPlace } from "./row-types.ts";
import type { UnreadRow } from "./source-row.ts";
import { otherEncoding } from "./text-encoding.ts";

interface Cells {
  readonly record: readonly string[];
  /** The line in which the record ends. */
  readonly info: { readonly lines: number };
}

/**
 * Reads the file record by record. Row ends may be mixed (CRLF, LF, CR), as in files that several tools have written to.
 * @throws RowsError for a header that names no column or one twice, for quotes that do not match, and for bytes that are not UTF-8
 */
export function* csvRows({ path, chunks }: OpenFile, delimiter: string): Generator<UnreadRow> {
  let header: readonly string[] | null = null;
  let begins = 1;
  let rows = 0;
  for (const { record, info } of records(path, chunks(), delimiter)) {
    const place = { path, line: begins };
    begins = info.lines + 1;
    if (record.every((cell) => cell === "")) continue;
    if (header === null) {
      header = record.map((name) => name.trim());
      checkHeader(path, header);
      continue;
    }
    const names = header;
    rows++;
    yield {
      place,
      read: () => ({ place, value: rowOf(names, record, place), numbers: {} }),
      bytes: () => Buffer.from(JSON.stringify(record)),
    };
  }
  if (header !== null && rows === 0)
    throw wholeFile(
      `${path} has a header and no rows: its columns are ${header.map((name) => quote(name, 40)).join(", ")}`,
      "it needs at least one row below the header (docs/data.md); if that line is a row, put the columns' names above it",
    );
}

/** csv-parse is a Transform whose work is synchronous: its pushes are taken where they are made. */
function* records(path: string, chunks: Iterable<Buffer>, delimiter: string): Generator<Cells> {
  const parser = new Parser({
    ...{ delimiter, bom: true, info: true, relax_column_count: true, skip_empty_lines: true },
    record_delimiter: ["\r\n", "\n", "\r"],
  });
  const found: Cells[] = [];
  parser.push = (record: Cells | null) => {
    if (record !== null) found.push(record);
    return true;
  };
  const rethrow = (error?: Error | null) => {
    if (error) throw faultOf(path, error as CsvError);
  };
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for (const chunk of chunks) {
    try {
      decoder.decode(chunk, { stream: true });
    } catch (cause) {
      const { value, hint } = otherEncoding(path, chunk);
      throw wholeFile(`${path} is not UTF-8 text: ${value}`, hint, { cause });
    }
    parser._transform(chunk, "utf8", rethrow);
    yield* found.splice(0);
  }
  parser._flush(rethrow);
  yield* found.splice(0);
}

function checkHeader(path: string, header: readonly string[]): void {
  const place = { path, line: 1 };
  const twice = header.find((name, i) => name !== "" && header.indexOf(name) !== i);
  if (twice !== undefined)
    throw new RowsError([
      { place, problem: `two columns are named ${quote(twice, 40)}`, hint: "give each column a name of its own" },
    ]);
}

function rowOf(header: readonly string[], record: readonly string[], place: RowPlace): Record<string, unknown> {
  if (record.length !== header.length)
    throw new RowsError([
      {
        place,
        problem: `the row has ${record.length} cells, and the header has ${header.length} columns`,
        value: quote(record.join(" | "), 80),
        hint: "a cell with the delimiter, a quote or a line break in it stands in double quotes, with its own quotes doubled",
      },
    ]);
  // A column without a name is an index that the tool wrote.
  return Object.fromEntries(
    header.flatMap((name, i) => (name === "" ? [] : [[name, record[i] === "" ? null : record[i]]])),
  );
}

function faultOf(path: string, error: CsvError): RowsError {
  const line = typeof error.lines === "number" ? error.lines : 1;
  const why: Record<string, string> = {
    CSV_QUOTE_NOT_CLOSED: "a quote is opened and never closed",
    INVALID_OPENING_QUOTE: "a quote stands inside a cell that does not begin with one",
    CSV_INVALID_CLOSING_QUOTE: "text follows the closing quote of a cell",
  };
  return new RowsError(
    [
      {
        place: { path, line },
        problem: why[error.code] ?? messageOf(error),
        hint: 'a cell with a quote in it stands in double quotes, with its own quotes doubled: "say ""hi"""',
      },
    ],
    { cause: error },
  );
}
