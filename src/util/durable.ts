/** Files that are either whole on the disk or absent: every byte is written to a temporary name and flushed, then renamed. */
import { randomBytes } from "node:crypto";
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  realpathSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { flushFolder, rename } from "./platform.ts";

export type Chunk = string | Uint8Array;

export interface DurableOptions {
  /** Permissions of a new file, before the process's umask; a replaced file keeps its own. */
  readonly mode?: number;
}

/**
 * Creates or replaces a file. Chunks are requested one at a time, and each is written before the next is made. Whatever goes wrong (a full
 * disk, a kill, a chunk that throws), the old file stays as it was. A link is followed; a device or a pipe is written to directly. Throws
 * the system's error.
 */
export function writeDurably(
  path: string,
  content: Chunk | Iterable<Chunk>,
  { mode = 0o666 }: DurableOptions = {},
): void {
  const chunks = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
  const there = statSync(path, { throwIfNoEntry: false });
  if (there !== undefined && !there.isFile()) {
    writeInto(path, chunks);
    return;
  }
  const target = there === undefined ? path : realpathSync(path);
  // A rename would replace a file that its owner has made read-only.
  if (there !== undefined) accessSync(target, constants.W_OK);
  const folder = dirname(target);
  const temporary = join(folder, `.ballast-${randomBytes(6).toString("hex")}.new`);
  const file = openSync(temporary, "wx", mode);
  try {
    try {
      for (const chunk of chunks) writeAll(file, chunk);
      if (there !== undefined && fstatSync(file).mode !== there.mode) fchmodSync(file, there.mode & 0o7777);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    rename(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  flushFolder(folder);
}

function writeInto(path: string, chunks: Iterable<Chunk>): void {
  const file = openSync(path, "w");
  try {
    for (const chunk of chunks) writeAll(file, chunk);
  } finally {
    closeSync(file);
  }
}

/**
 * Writes every byte. A single system call may write fewer bytes than it was given and report it only in its result: on an almost full disk,
 * the error comes with the next call.
 */
export function writeAll(file: number, chunk: Chunk): void {
  const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
  for (let done = 0; done < bytes.length; ) {
    const written = writeSync(file, bytes, done, bytes.length - done);
    if (written === 0) throw new Error(`no more than ${done} of ${bytes.length} bytes could be written`);
    done += written;
  }
}
