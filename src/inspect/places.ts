/** Locates runs: the folder that a user means by a run's id, and the configuration in it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { type Config, parseResolvedConfig } from "../config/index.ts";
import { runIn } from "../config/run-manifest.ts";
import { UsageError } from "../util/errors.ts";
import type { On } from "../util/platform.ts";
import { isModelFolder } from "../util/weight-files.ts";

export interface RunPlace {
  readonly id: string;
  readonly folder: string;
  /** Folder that contains the run, its siblings and their database. */
  readonly workspace: string;
}

export interface FindOptions extends On {
  /** What the user was asked for, in words. */
  readonly what?: string;
}

/**
 * The run that a user means, given an id in the workspace or the path of a run's folder. Throws CheckpointError if the folder holds a different run.
 */
export function findRun(run: string, workspace: string, { what = "run", ...on }: FindOptions = {}): RunPlace {
  const candidates = [join(workspace, run), run].map((path) => resolve(path));
  for (const folder of candidates) {
    if (existsSync(join(folder, "config.json")) && !isModelFolder(folder)) {
      const id = runIn(folder, on);
      return { id, folder: join(dirname(folder), id), workspace: dirname(folder) };
    }
  }
  const present = runIds(workspace);
  throw new UsageError(
    `there is no ${what} ${run} in ${workspace}${sep}`,
    present.length > 0
      ? `Its runs: ${present.slice(-8).join(", ")}. Another workspace: --workspace DIR, or the path of the run's folder.`
      : "It holds no runs. Another workspace: --workspace DIR, or the path of the run's folder.",
  );
}

function runIds(workspace: string): string[] {
  if (!existsSync(workspace)) return [];
  return readdirSync(workspace, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(workspace, entry.name, "config.json")))
    .map((entry) => entry.name);
}

/** The configuration as the run's folder records it. */
export function configOf({ folder }: Pick<RunPlace, "folder">): Config {
  return parseResolvedConfig(readFileSync(join(folder, "config.json"), "utf8"), folder);
}
