/** The folder of a run: making a new one with its name, and what training has left in one. */
import { mkdirSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { RunPlace } from "../inspect/places.ts";
import { BallastError, UsageError } from "../util/errors.ts";
import { badName, type On, sameName } from "../util/platform.ts";

/** Makes the folder `<workspace>/<name>-<n>` of a new run, where n is the first number after all those in use or in `taken`. */
export function createRunFolder({
  workspace,
  name,
  taken = [],
  ...on
}: On & {
  workspace: string;
  name: string;
  taken?: readonly string[];
}): RunPlace {
  const bad = badName(`${name}-1`, on);
  if (bad !== null)
    throw new UsageError(`a run cannot have the name ${name}: ${bad}`, "Choose a different one: name=NAME.");
  try {
    mkdirSync(workspace, { recursive: true });
  } catch (error) {
    throw new BallastError(
      `cannot make the folder of runs ${workspace}: ${(error as Error).message}`,
      "Name a different one with --out or workspace=DIR.",
    );
  }
  const numbers = [...readdirSync(workspace), ...taken]
    .filter((id) => sameName(id.slice(0, name.length + 1), `${name}-`, on))
    .map((id) => id.slice(name.length + 1))
    .filter((rest) => /^\d+$/.test(rest))
    .map(Number);
  // A different process may pick the same number at the same time: making the folder decides.
  for (let n = Math.max(0, ...numbers) + 1; ; n++) {
    const id = `${name}-${n}`;
    try {
      mkdirSync(join(workspace, id));
      return { id, folder: resolve(workspace, id), workspace: resolve(workspace) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

/** Whether any stage of the run has saved something from which it can continue. */
export function hasCheckpoint(folder: string): boolean {
  return readdirSync(folder, { withFileTypes: true })
    .filter((stage) => stage.isDirectory())
    .some((stage) => readdirSync(join(folder, stage.name)).some((name) => /^(checkpoint-\d+|final)$/.test(name)));
}

/** Whether a stage that took a step has left something in the run's folder: a checkpoint after the beginning, a result, a dump. */
export function hasTrainedFiles(folder: string): boolean {
  return readdirSync(folder, { withFileTypes: true })
    .filter((stage) => stage.isDirectory())
    .some((stage) =>
      readdirSync(join(folder, stage.name)).some((name) => /^(final|dumps|checkpoint-0*[1-9]\d*)$/.test(name)),
    );
}
