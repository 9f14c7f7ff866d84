/** Removes a run, both its rows and its folder: completely or not at all. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { RunPlace } from "../inspect/places.ts";
import { databaseOf, withStore } from "../store/index.ts";
import { rename, renamesHeldFolders } from "../util/platform.ts";
import type { RunLock } from "./lock.ts";

/**
 * Removes the run, whose lock the caller holds; the lock is released. The folder is renamed first, and renamed back if the database refuses. Returns
 * the path of what could not be deleted afterwards, which no command mistakes for a run; null if nothing is left.
 */
export function removeRun(place: RunPlace, lock: RunLock | null): string | null {
  const { id, folder, workspace } = place;
  const doomed = join(workspace, `.${id}.deleted`);
  rmSync(doomed, { recursive: true, force: true });
  if (!renamesHeldFolders()) lock?.release();
  const there = existsSync(folder);
  if (there) rename(folder, doomed);
  try {
    removeRows(place);
  } catch (error) {
    if (there) rename(doomed, folder);
    throw error;
  }
  lock?.release();
  try {
    rmSync(doomed, { recursive: true, force: true });
    return null;
  } catch {
    return doomed;
  }
}

function removeRows({ id, workspace }: RunPlace): void {
  if (!existsSync(databaseOf(workspace))) return;
  withStore(workspace, (store) => store.run(id) && store.deleteRun(id), {});
}
