/** What differs between Linux, macOS and Windows. Every function takes the platform as a value, so that each branch is tested anywhere. */
import { closeSync, fsyncSync, openSync, renameSync } from "node:fs";

/** Windows refuses to rename what a virus scanner or an indexer holds open, for moments. */
const heldForMoments = new Set(["EPERM", "EACCES", "EBUSY"]);

/** Milliseconds. graceful-fs, which npm renames with, grows its pauses to 100 ms too, but tries for a minute: too long for a trainer. */
const pauses = [10, 20, 40, 80, ...Array<number>(50).fill(100)];

export interface RenameOptions {
  readonly platform?: NodeJS.Platform;
  readonly rename?: (from: string, to: string) => void;
  readonly pause?: (milliseconds: number) => void;
}

/** Renames a file over another one, or a folder to a name that is free. Throws the system's error. */
export function rename(
  from: string,
  to: string,
  { platform = process.platform, rename = renameSync, pause = sleep }: RenameOptions = {},
): void {
  for (let tries = 0; ; tries++) {
    try {
      rename(from, to);
      return;
    } catch (error) {
      const wait = pauses[tries];
      if (platform !== "win32" || wait === undefined || !heldForMoments.has(codeOf(error))) throw error;
      pause(wait);
    }
  }
}

/** Some network and user-space file systems cannot flush a folder, and one may write into a folder that one may not read. */
const cannotFlush = new Set(["EINVAL", "ENOTSUP", "EOPNOTSUPP", "EACCES", "EPERM", "EISDIR"]);

export interface FlushOptions {
  readonly platform?: NodeJS.Platform;
  readonly open?: (folder: string) => number;
  readonly flush?: (handle: number) => void;
}

/** Makes the names in a folder durable, if the system can: Windows has no such call. Throws the disk's errors. */
export function flushFolder(
  folder: string,
  { platform = process.platform, open = (path) => openSync(path, "r"), flush = fsyncSync }: FlushOptions = {},
): void {
  if (platform === "win32") return;
  let handle: number | null = null;
  try {
    handle = open(folder);
    flush(handle);
  } catch (error) {
    if (!cannotFlush.has(codeOf(error))) throw error;
  } finally {
    if (handle !== null) closeSync(handle);
  }
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}

function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
