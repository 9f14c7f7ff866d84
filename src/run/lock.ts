/**
 * Allows only one process at a time to train in a run's folder.
 *
 * The lock is SQLite's own on an empty file in the folder: the operating system releases it when the process ends, however it ends, so there is no
 * stale lock and no process id to confuse, not even after a reboot. `owner` is for people: who took the lock last, and on a shared drive from which
 * machine.
 */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import Database from "libsql";
import { writeDurably } from "../util/durable.ts";
import { BallastError, messageOf } from "../util/errors.ts";
import { remedyFor } from "../util/system-faults.ts";

export interface RunLock {
  release(): void;
}

/** Open locks: an unreferenced database would be closed by the garbage collector. */
const held = new Set<InstanceType<typeof Database>>();

/** Locks the folder, or throws if a live process has it. */
export function lockRun(folder: string): RunLock {
  const owner = join(folder, "owner");
  const path = join(folder, ".lock");
  let database: InstanceType<typeof Database> | null = null;
  try {
    database = new Database(path, { timeout: 0 });
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    if (!/locked|busy/i.test(messageOf(error)))
      throw new BallastError(
        `cannot lock the run: ${path}: ${messageOf(error).replace(/^ConnectionFailed\(.*\)$/s, "it cannot be opened")}`,
        /not a database|malformed/i.test(messageOf(error))
          ? `Something wrote to the lock file, which must be empty: delete it. rm ${path}`
          : remedyFor(error),
        { cause: error },
      );
    throw new BallastError(
      `the run in ${folder} is in use by a live process${ownerText(owner)}`,
      "Wait for it to end, or stop it with Ctrl-C where it runs: it saves and can be resumed.",
    );
  }
  writeDurably(owner, `${process.pid} ${hostname()}\n`);
  held.add(database);
  return {
    release() {
      if (held.delete(database)) database.close();
    },
  };
}

function ownerText(path: string): string {
  try {
    const [pid, host = hostname()] = readFileSync(path, "utf8").trim().split(" ");
    return ` (process ${pid}${host === hostname() ? "" : ` on ${host}`})`;
  } catch {
    return "";
  }
}
