/** Writes the files that a user requests by name: exports, reports, ratings. */
import { dirname, resolve } from "node:path";
import { type Chunk, writeDurably } from "../util/durable.ts";
import { BallastError, messageOf } from "../util/errors.ts";
import { remedyFor } from "../util/system-faults.ts";

/** Writes the file completely or not at all. Throws BallastError, and what a chunk throws; an existing file is then unchanged. */
export function writeExport(path: string, content: Chunk | Iterable<Chunk>): void {
  try {
    writeDurably(path, content);
  } catch (error) {
    if (error instanceof BallastError) throw error;
    throw new BallastError(`cannot write ${path}: ${messageOf(error)}`, hintFor(path, error), { cause: error });
  }
}

function hintFor(path: string, error: unknown): string {
  const folder = dirname(resolve(path));
  switch ((error as NodeJS.ErrnoException).code) {
    case "ENOENT":
      return `There is no folder ${folder}: create it, or name a different file.`;
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return `You may not write there: name a different file, or check the permissions of ${folder}.`;
    case "EPIPE":
      return "The program that read the output ended early.";
    case "EISDIR":
      return "It is a folder: name a file in it.";
    default:
      return remedyFor(error) ?? "Free some space, or name a different file.";
  }
}
