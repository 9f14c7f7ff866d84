/** Reads JSONL, one JSON object per line, and remembers each object's line; mistakes are reported by file and line. */
import { closeSync, fstatSync, openSync, readdirSync, readSync, type Stats } from "node:fs";
import { join } from "node:path";
import { DataError, messageOf } from "../util/errors.ts";
import { quote } from "../util/quote.ts";
import { headBytes, otherFormat } from "./file-format.ts";
import { RowsError, useAll } from "./row-faults.ts";
import type { RowPlace } from "./row-types.ts";
import { otherEncoding } from "./text-encoding.ts";

export interface JsonlRow {
  readonly place: RowPlace;
  readonly value: Readonly<Record<string, unknown>>;
  /** Number fields as they are written: a double represents neither 1.10 nor 12345678901234567890. */
  readonly numbers: Readonly<Record<string, string>>;
}

/**
 * Passes a file's objects to `use`, at most `limit` of them (0 means all). A byte order mark, CRLF and blank lines are accepted.
 * @throws RowsError with every line that is not a JSON object in UTF-8, and those that `use` throws; DataError if the file cannot be read,
 * is of a different format, or has no rows
 */
export function readJsonl<Row>(
  path: string,
  { limit = 0, use }: { limit?: number; use: (row: JsonlRow) => Row },
): Row[] {
  const rows = useAll(linesWithText(path, limit), ({ place, bytes }) => {
    const text = decode(bytes, place);
    const value = parseObject(text, place);
    return use({ place, value, numbers: numberTexts(text, value) });
  });
  if (rows.length > 0) return rows;
  throw wholeFile(`${path} is empty`, "it needs one JSON object per line (docs/data-formats.md)");
}

function parseObject(text: string, place: RowPlace): Record<string, unknown> {
  const fault = (problem: string, hint: string, cause?: unknown) =>
    new RowsError([{ place, problem, hint }], { cause });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw fault(`not valid JSON: ${messageOf(error)}`, jsonHint(text), error);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const key = repeatedKey(text);
    if (key === null) return value as Record<string, unknown>;
    throw fault(`the key ${quote(key, 40)} stands twice in one object`, "JSON keeps only the last of them: remove one");
  }
  const what = Array.isArray(value) ? "a list" : value === null ? "null" : `a ${typeof value}`;
  throw fault(`a JSON object is needed, this is ${what}`, "write one object per line, without a list around them");
}

/** A key that an object in valid JSON has more than once, at any depth; null if there is none. */
function repeatedKey(json: string): string | null {
  // The keys of each open object, and null for each open list.
  const open: (Set<string> | null)[] = [];
  let string = "";
  for (let at = 0; at < json.length; at++) {
    const char = json[at];
    if (char === '"') {
      const end = endOfString(json, at);
      string = json.slice(at, end + 1);
      at = end;
    } else if (char === "{") open.push(new Set());
    else if (char === "[") open.push(null);
    else if (char === "}" || char === "]") open.pop();
    else if (char === ":") {
      const keys = open.at(-1)!;
      const key: string = JSON.parse(string);
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return null;
}

/** The position of the quote that ends the string which begins at `start`. */
function endOfString(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); ; end = json.indexOf('"', end + 1)) {
    let before = end;
    while (json[before - 1] === "\\") before--;
    if ((end - before) % 2 === 0) return end;
  }
}

function jsonHint(text: string): string {
  const start = text.trimStart()[0];
  if (start !== "{")
    return `each line holds one JSON object, {"prompt": ..., ...}; this one starts with ${JSON.stringify(start)}`;
  if (/^\s*\{\s*'/.test(text)) return "this is Python's notation; write each row with json.dumps, which writes JSON";
  if (/[:[,]\s*-?(NaN|Infinity)\b/.test(text))
    return "JSON has no NaN and no Infinity; write null, or leave the field out";
  return "each line holds one whole JSON object; the line may be cut short, or an object may span several lines";
}

/** A fault of the whole file, reported beside the faults of other files' rows. */
export function wholeFile(problem: string, hint: string, options?: ErrorOptions): RowsError {
  return new RowsError([{ place: null, problem, hint }], options);
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(bytes: Buffer, place: RowPlace): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    const { value, hint } = otherEncoding(place.path, bytes);
    throw new RowsError([{ place, problem: "not UTF-8 text", value, hint }], { cause });
  }
}

export interface Line {
  readonly place: RowPlace;
  readonly bytes: Buffer;
}

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** The first `limit` lines that are not blank (0 means all). */
export function* linesWithText(path: string, limit: number): Generator<Line> {
  let rows = 0;
  for (const { place, bytes } of linesOf(path)) {
    const marked = place.line === 1 && bytes.subarray(0, 3).equals(byteOrderMark);
    const line = marked ? bytes.subarray(3) : bytes;
    if (line.every((byte) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d))) continue;
    yield { place, bytes: line };
    if (++rows === limit) return;
  }
}

/** Matches strings, which are left unchanged, and numbers. */
const stringOrNumber = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;

/** The source texts of the numbers in an object that `JSON.parse` has read. Node gives access to them only from 21 on. */
function numberTexts(json: string, value: Readonly<Record<string, unknown>>): Record<string, string> {
  const keys = Object.keys(value).filter((key) => typeof value[key] === "number");
  if (keys.length === 0) return {};
  const quoted = json.replaceAll(stringOrNumber, (token) => (token.startsWith('"') ? token : `"${token}"`));
  const texts = JSON.parse(quoted);
  return Object.fromEntries(keys.map((key) => [key, texts[key]]));
}

const chunkBytes = 1 << 20;
const newline = 0x0a;

/** Lines without their ends, read in chunks: a file may be larger than the longest string. */
function* linesOf(path: string): Generator<Line> {
  const file = openForReading(path);
  try {
    let line = 0;
    let pending: Uint8Array[] = [];
    const take = (): Line => {
      const bytes = Buffer.concat(pending);
      pending = [];
      return { place: { path, line: ++line }, bytes };
    };
    for (;;) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const read = readSync(file, chunk, 0, chunkBytes, null);
      if (read === 0) break;
      let from = 0;
      for (let end = chunk.indexOf(newline); end !== -1 && end < read; end = chunk.indexOf(newline, from)) {
        pending.push(chunk.subarray(from, end));
        yield take();
        from = end + 1;
      }
      if (from < read) pending.push(chunk.subarray(from, read));
    }
    if (pending.length > 0) yield take();
  } finally {
    closeSync(file);
  }
}

/** Opens a file. Throws DataError if it cannot be read, or is known to be in a different format. */
function openForReading(path: string): number {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === "ENOENT" ? "no such file" : messageOf(error);
    throw new DataError(`cannot read ${path}: ${why}`, "paths are relative to the folder the command runs in", {
      cause: error,
    });
  }
  try {
    checkKind(path, fstatSync(file));
    const head = Buffer.alloc(headBytes);
    const other = otherFormat(path, head.subarray(0, readSync(file, head, 0, headBytes, 0)));
    if (other) throw wholeFile(`${path} ${other.what}`, other.hint);
  } catch (error) {
    closeSync(file);
    throw error;
  }
  return file;
}

function checkKind(path: string, stats: Stats): void {
  if (stats.isFile()) return;
  if (!stats.isDirectory())
    throw wholeFile(`cannot read ${path}: it is not a file`, "rows are read more than once: write them to a file");
  const names = readdirSync(path).filter((name) => /\.(jsonl?|parquet|arrow|csv|tsv|gz|zst)$/i.test(name));
  const rows = names.filter((name) => name.endsWith(".jsonl"));
  const found = (rows.length > 0 ? rows : names).slice(0, 5).map((name) => join(path, name));
  throw wholeFile(
    `cannot read ${path}: it is a folder`,
    found.length > 0
      ? `give the path of one file in it: ${found.join(", ")}`
      : "give the path of a JSONL file; there is none in it",
  );
}
