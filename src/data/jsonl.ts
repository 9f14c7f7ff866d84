/** Reading JSONL: one JSON object a line, each with the line it stood on; what is wrong is said by file and line. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { DataError, messageOf } from "../util/errors.ts";

export interface JsonlRow {
  /** Counted from 1. */
  readonly line: number;
  readonly value: Readonly<Record<string, unknown>>;
}

/**
 * Reads the objects of a file, at most `limit` of them (0 is all). A byte order mark, CRLF and blank lines are fine.
 * @throws DataError where the file cannot be read or has no row, or a line is not a JSON object in UTF-8
 */
export function readJsonl(path: string, { limit = 0 }: { limit?: number } = {}): JsonlRow[] {
  const rows: JsonlRow[] = [];
  for (const { line, text } of linesOf(path)) {
    if (text.trim() === "") continue;
    rows.push({ line, value: parseObject(text, `${path}:${line}`) });
    if (rows.length === limit) break;
  }
  if (rows.length === 0) {
    throw new DataError(`${path} is empty`, "it needs one JSON object a line (docs/data-formats.md)");
  }
  return rows;
}

function parseObject(text: string, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const start = text.trimStart()[0];
    const hint =
      start === "{"
        ? "each line holds one whole JSON object; the line may be cut short, or an object may span several lines"
        : `each line holds one JSON object, {"prompt": ..., ...}; this one starts with ${JSON.stringify(start)}`;
    throw new DataError(`${where}: not valid JSON: ${messageOf(error)}`, hint, { cause: error });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  const what = Array.isArray(value) ? "a list" : value === null ? "null" : `a ${typeof value}`;
  throw new DataError(`${where}: a JSON object is needed, this is ${what}`, "one object a line, without a list around");
}

const chunkBytes = 1 << 20;
const newline = 0x0a;

/** Lines without their ends, read in chunks: a file may be larger than the longest string. */
function* linesOf(path: string): Generator<{ line: number; text: string }> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const file = openForReading(path);
  try {
    let line = 0;
    const decode = (bytes: Uint8Array) => {
      line++;
      try {
        const text = decoder.decode(bytes);
        return { line, text: line === 1 && text.startsWith("\uFEFF") ? text.slice(1) : text };
      } catch (error) {
        throw new DataError(`${path}:${line}: not UTF-8 text`, "save the file as UTF-8", { cause: error });
      }
    };
    let pending: Uint8Array[] = [];
    for (;;) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const read = readSync(file, chunk, 0, chunkBytes, null);
      if (read === 0) break;
      let from = 0;
      for (let end = chunk.indexOf(newline); end !== -1 && end < read; end = chunk.indexOf(newline, from)) {
        pending.push(chunk.subarray(from, end));
        yield decode(pending.length === 1 ? pending[0]! : Buffer.concat(pending));
        pending = [];
        from = end + 1;
      }
      if (from < read) pending.push(chunk.subarray(from, read));
    }
    if (pending.length > 0) yield decode(Buffer.concat(pending));
  } finally {
    closeSync(file);
  }
}

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
  if (fstatSync(file).isDirectory()) {
    closeSync(file);
    throw new DataError(`cannot read ${path}: it is a folder`, "give the path of one JSONL file in it");
  }
  return file;
}
