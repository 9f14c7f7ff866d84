/** Allows only one process at a time to train in a run's folder. `owner` is for people: who took the lock last, and on a shared drive from which machine. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { writeDurably } from "../util/durable.ts";
import { BallastError, messageOf } from "../util/errors.ts";
import { type FileLock, tryLock } from "../util/file-lock.ts";
import { remedyFor } from "../util/system-faults.ts";

export type RunLock = FileLock;

/** Locks the folder, or throws if a live process has it. */
export function lockRun(folder: string): RunLock {
  const owner = join(folder, "owner");
  const path = join(folder, ".lock");
  let lock: RunLock | null;
  try {
    lock = tryLock(path);
  } catch (error) {
    throw new BallastError(
      `cannot lock the run: ${path}: ${messageOf(error).replace(/^ConnectionFailed\(.*\)$/s, "it cannot be opened")}`,
      /not a database|malformed/i.test(messageOf(error))
        ? `Something wrote to the lock file, which must be empty: delete it. rm ${path}`
        : remedyFor(error),
      { cause: error },
    );
  }
  if (lock === null)
    throw new BallastError(
      `the run in ${folder} is in use by a live process${ownerText(owner)}`,
      "Wait for it to end, or stop it with Ctrl-C where it runs: it saves and can be resumed.",
    );
  writeDurably(owner, `${process.pid} ${hostname()}\n`);
  return lock;
}

function ownerText(path: string): string {
  try {
    const [pid, host = hostname()] = readFileSync(path, "utf8").trim().split(" ");
    return ` (process ${pid}${host === hostname() ? "" : ` on ${host}`})`;
  } catch {
    return "";
  }
}
