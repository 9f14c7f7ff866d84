/** Rows of JSON: one object per line, or the elements of an array; mistakes are reported by file and line. */
import { messageOf } from "../util/errors.ts";
import { quote } from "../util/quote.ts";
import type { OpenFile } from "./file-bytes.ts";
import { jsonElements } from "./json-elements.ts";
import { RowsError } from "./row-faults.ts";
import type { RowPlace } from "./row-types.ts";
import type { UnreadRow } from "./source-row.ts";
import { otherEncoding } from "./text-encoding.ts";

/** The lines of a JSONL file that are not blank. A byte order mark and CRLF are accepted. */
export function* jsonlRows({ path, chunks }: OpenFile): Generator<UnreadRow> {
  for (const { place, bytes } of linesWithText(path, chunks())) yield unread(place, bytes);
}

/** The elements of a JSON array, or objects that span lines. */
export function* jsonRows({ path, chunks }: OpenFile): Generator<UnreadRow> {
  for (const { place, bytes, fault } of jsonElements(path, chunks())) {
    if (fault === undefined) yield unread(place, bytes);
    else
      yield {
        ...unread(place, bytes),
        read() {
          throw new RowsError([{ place, problem: `not valid JSON: ${fault}`, hint: "the file may be cut short" }]);
        },
      };
  }
}

function unread(place: RowPlace, bytes: Buffer): UnreadRow {
  return {
    place,
    read() {
      const text = decode(bytes, place);
      const value = parseObject(text, place);
      return { place, value, numbers: numberTexts(text, value) };
    },
    bytes: () => bytes,
  };
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

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(bytes: Buffer, place: RowPlace): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    const { value, hint } = otherEncoding(place.path, bytes);
    throw new RowsError([{ place, problem: "not UTF-8 text", value, hint }], { cause });
  }
}

interface Line {
  readonly place: RowPlace;
  readonly bytes: Buffer;
}

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

function* linesWithText(path: string, chunks: Iterable<Buffer>): Generator<Line> {
  for (const { place, bytes } of linesOf(path, chunks)) {
    const marked = place.line === 1 && bytes.subarray(0, 3).equals(byteOrderMark);
    const line = marked ? bytes.subarray(3) : bytes;
    if (line.every((byte) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d))) continue;
    yield { place, bytes: line };
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

const newline = 0x0a;

/** Lines without their ends: a file may be larger than the longest string. */
function* linesOf(path: string, chunks: Iterable<Buffer>): Generator<Line> {
  let line = 0;
  let pending: Buffer[] = [];
  const take = (): Line => {
    const bytes = pending.length === 1 ? pending[0]! : Buffer.concat(pending);
    pending = [];
    return { place: { path, line: ++line }, bytes };
  };
  for (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, from)) {
      pending.push(chunk.subarray(from, end));
      yield take();
      from = end + 1;
    }
    if (from < chunk.length) pending.push(chunk.subarray(from));
  }
  if (pending.length > 0) yield take();
}
