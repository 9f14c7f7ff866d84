/** A file of plain text: one document, which becomes one row with the column `text`. */
import type { OpenFile } from "./file-bytes.ts";
import { RowsError } from "./row-faults.ts";
import type { UnreadRow } from "./source-row.ts";
import { otherEncoding } from "./text-encoding.ts";

export function* textRows({ path, chunks }: OpenFile): Generator<UnreadRow> {
  const bytes = Buffer.concat([...chunks()]);
  if (bytes.toString("latin1").trim() === "") return;
  const place = { path, line: 1 };
  yield {
    place,
    bytes: () => bytes,
    read() {
      try {
        return { place, value: { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) }, numbers: {} };
      } catch (cause) {
        const { value, hint } = otherEncoding(path, bytes);
        throw new RowsError([{ place, problem: "not UTF-8 text", value, hint }], { cause });
      }
    },
  };
}
