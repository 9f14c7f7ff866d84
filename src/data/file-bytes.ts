/** The bytes of a file of rows, in chunks and unpacked if they are gzip; says plainly why a path cannot be read. */
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync, type Stats } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { DataError, messageOf } from "../util/errors.ts";
import { shellWord } from "../util/platform.ts";
import { wholeFile } from "./row-faults.ts";

const chunkBytes = 1 << 20;
/** Largest size of an unpacked gzip file: it is unpacked in memory. Larger ones are unpacked once, on disk, by the user. */
const mostUnpacked = 1 << 30;

/** Number of bytes at the beginning that tell a file's format. */
export const headBytes = 4096;

/** A file that is open for reading, with its first bytes. */
export interface OpenFile {
  readonly path: string;
  readonly file: number;
  readonly bytes: number;
  /** The first bytes, unpacked if the file is gzip. */
  readonly head: Buffer;
  readonly gzip: boolean;
  /** Every byte in order, in chunks that are never reused. */
  chunks(): Generator<Buffer>;
}

/**
 * Opens a file for as long as `use` iterates.
 * @throws DataError if it cannot be read, RowsError if it is not a file
 */
export function* withFile<Row>(path: string, use: (file: OpenFile) => Iterable<Row>): Generator<Row> {
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
    const stats = fstatSync(file);
    checkKind(path, stats);
    const first = Buffer.alloc(headBytes);
    const raw = first.subarray(0, readSync(file, first, 0, headBytes, 0));
    const gzip = raw[0] === 0x1f && raw[1] === 0x8b;
    const whole = gzip ? unpacked(path) : null;
    const head = whole?.subarray(0, headBytes) ?? raw;
    yield* use({
      ...{ path, file, head, gzip, bytes: stats.size },
      chunks: () => (whole ? piecesOf(whole) : chunksOf(file)),
    });
  } finally {
    closeSync(file);
  }
}

function* chunksOf(file: number): Generator<Buffer> {
  for (let at = 0; ; ) {
    const chunk = Buffer.allocUnsafeSlow(chunkBytes);
    const read = readSync(file, chunk, 0, chunkBytes, at);
    if (read === 0) return;
    at += read;
    yield chunk.subarray(0, read);
  }
}

function* piecesOf(whole: Buffer): Generator<Buffer> {
  for (let at = 0; at < whole.length; at += chunkBytes) yield whole.subarray(at, at + chunkBytes);
}

function unpacked(path: string): Buffer {
  try {
    return gunzipSync(readFileSync(path), { maxOutputLength: mostUnpacked });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const target = /\.gz$/i.test(path) ? path.replace(/\.gz$/i, "") : `${path}.unpacked`;
    if (code === "ERR_BUFFER_TOO_LARGE")
      throw wholeFile(
        `${path} holds more than 1 GiB once unpacked, and would be unpacked in memory`,
        `unpack it first: gzip -dc < ${shellWord(path)} > ${shellWord(target)}`,
      );
    throw wholeFile(
      `${path} begins as a gzip file and cannot be unpacked: ${messageOf(error)}`,
      "download or copy it again: it may be cut short",
      { cause: error },
    );
  }
}

function checkKind(path: string, stats: Stats): void {
  if (stats.isFile()) return;
  if (!stats.isDirectory())
    throw wholeFile(`cannot read ${path}: it is not a file`, "rows are read more than once: write them to a file");
  const names = readdirSync(path).filter((name) => /\.(jsonl?|parquet|csv|tsv|txt)(\.gz)?$/i.test(name));
  const found = names.slice(0, 5).map((name) => join(path, name));
  const extension = /\.[^.]+(\.gz)?$/i.exec(names[0] ?? "")?.[0];
  throw wholeFile(
    `cannot read ${path}: it is a folder`,
    extension === undefined
      ? "give the path of a file of rows; there is none in it"
      : `give a file in it, such as ${found.join(", ")}, or all of them: ${join(path, `*${extension}`)}`,
  );
}
