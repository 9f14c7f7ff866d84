/** Text files that are on the disk when the call returns. */
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";

/** Writes a file and flushes it to disk. Throws the system's error, a full disk's for one. */
export function writeDurably(path: string, text: string): void {
  const file = openSync(path, "w");
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
