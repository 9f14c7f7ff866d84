/**
 * A lock that one process holds: SQLite's own on an empty file. The operating system releases it when the process ends, however it ends, so there is
 * no stale lock and no process id to confuse, not even after a reboot.
 */
import Database from "libsql";
import { messageOf } from "./errors.ts";

export interface FileLock {
  release(): void;
}

/** Open locks: an unreferenced database would be closed by the garbage collector. */
const held = new Set<InstanceType<typeof Database>>();

/** Locks the file, which is made if need be; null if a live process holds it. Throws SQLite's error if it cannot be opened. */
export function tryLock(path: string): FileLock | null {
  let database: InstanceType<typeof Database> | null = null;
  try {
    database = new Database(path, { timeout: 0 });
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    if (/locked|busy/i.test(messageOf(error))) return null;
    throw error;
  }
  const lock = database;
  held.add(lock);
  return {
    release() {
      if (held.delete(lock)) lock.close();
    },
  };
}
