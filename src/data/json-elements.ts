/** The elements of a JSON array, or of JSON objects that span lines, one by one and with their lines: a file may be larger than the longest string. */
import type { RowPlace } from "./row-types.ts";

export interface JsonElement {
  readonly place: RowPlace;
  readonly bytes: Buffer;
  /** What is wrong around the element, if anything. */
  readonly fault?: string;
}

const [quoteMark, backslash, comma, newline] = [0x22, 0x5c, 0x2c, 0x0a];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];
const isSpace = (byte: number) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

/** Yields each element as its bytes, which need not be valid JSON. A faulty end of the array is an element with a fault. */
export function* jsonElements(path: string, chunks: Iterable<Buffer>): Generator<JsonElement> {
  let state: "start" | "array" | "between" | "objects" | "after" = "start";
  let [line, startLine, depth, start] = [1, 1, 0, -1];
  let [inString, escaped, scalar] = [false, false, false];
  let pending: Buffer[] = [];
  let first = true;
  for (const given of chunks) {
    const marked = first && given[0] === 0xef && given[1] === 0xbb && given[2] === 0xbf;
    const chunk = marked ? given.subarray(3) : given;
    first = false;
    if (start >= 0) start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (byte === newline) line++;
      if (start >= 0) {
        if (inString) {
          if (escaped) escaped = false;
          else if (byte === backslash) escaped = true;
          else if (byte === quoteMark) inString = false;
          if (inString || depth > 0 || scalar) continue;
        } else if (byte === quoteMark) inString = true;
        else if (byte === openList || byte === openObject) depth++;
        else if ((byte === closeList || byte === closeObject) && depth > 0) depth--;
        if (inString || depth > 0) continue;
        const ends = scalar ? byte === comma || byte === closeList || isSpace(byte) : true;
        if (!ends) continue;
        const end = scalar ? at : at + 1;
        yield { place: { path, line: startLine }, bytes: Buffer.concat([...pending, chunk.subarray(start, end)]) };
        [pending, start] = [[], -1];
        if (state === "array") state = "between";
        if (!scalar) continue;
      }
      if (isSpace(byte)) continue;
      if (state === "start") {
        state = byte === openList ? "array" : "objects";
        if (state === "array") continue;
      }
      if (state === "between" && byte === comma) state = "array";
      else if ((state === "between" || state === "array") && byte === closeList) state = "after";
      else if (state === "between" || state === "after") {
        const where =
          state === "after" ? "text follows the end of the array" : "a comma is missing before this element";
        yield { place: { path, line }, bytes: Buffer.alloc(0), fault: where };
        return;
      } else {
        [start, startLine, depth, inString, escaped] = [at, line, 0, byte === quoteMark, false];
        scalar = byte !== openList && byte !== openObject;
        if (!scalar) depth = 1;
      }
    }
    if (start >= 0) pending.push(chunk.subarray(start));
  }
  if (start >= 0)
    yield {
      place: { path, line: startLine },
      bytes: Buffer.concat(pending),
      fault: "the file ends within this element",
    };
  else if (state === "array" || state === "between")
    yield { place: { path, line }, bytes: Buffer.alloc(0), fault: "the file ends within the array" };
}
