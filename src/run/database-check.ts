/** Checks that the workspace's database is the one to which a run has written. */
import { existsSync, statSync } from "node:fs";
import { runOrigin, sha256OfText } from "../config/run-manifest.ts";
import type { RunPlace } from "../inspect/places.ts";
import { databaseOf, withStore } from "../store/index.ts";
import { StoreError } from "../util/errors.ts";
import { hasCheckpoint } from "./run-folder.ts";

/**
 * Throws StoreError if a run has saved something, but the database is gone or empty, does not know the run, or knows a different run with its name.
 * Nothing is created or changed: a fresh database beside the run would hide that the old one is missing.
 */
export function checkDatabase({ id, folder, workspace }: RunPlace): void {
  if (!hasCheckpoint(folder)) return;
  const path = databaseOf(workspace);
  if (!existsSync(path)) throw lost(`the database ${path} is gone, but the run in ${folder} has trained`, path);
  if (statSync(path).size === 0)
    throw lost(`the database ${path} is empty, but the run in ${folder} has trained`, path);
  const run = withStore(workspace, (store) => store.run(id));
  if (run === undefined) throw lost(`the database ${path} has no run ${id}, but ${folder} has trained`, path);
  const began = runOrigin(folder)?.config ?? null;
  if (began !== null && sha256OfText(run.config) !== began)
    throw new StoreError(
      `the run ${id} in the database ${path} began with other settings than the one in ${folder}`,
      "Two runs have this name: use the database that belongs to this folder.",
    );
}

function lost(what: string, path: string): StoreError {
  return new StoreError(
    what,
    `Restore ${path} from a copy, with its -wal file if there is one. Without a copy, start a new run from this run's models: ppo.policy or model.path names the folder of one.`,
  );
}
