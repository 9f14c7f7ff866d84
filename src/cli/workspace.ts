/** Where runs lie: the folder of a new run, and the folder that a user means by a run's id. */
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { basename, delimiter, dirname, join, relative, resolve, sep } from "node:path";
import { BallastError, UsageError } from "../util/errors.ts";
import { shortPath } from "./paths.ts";

export interface RunPlace {
  readonly id: string;
  readonly folder: string;
  /** Folder of the run's siblings and of their database. */
  readonly workspace: string;
}

/** Makes the folder `<workspace>/<name>-<n>` of a new run, n the first number after every one in use or in `taken`. */
export function createRunFolder({
  workspace,
  name,
  taken = [],
}: {
  workspace: string;
  name: string;
  taken?: readonly string[];
}): RunPlace {
  try {
    mkdirSync(workspace, { recursive: true });
  } catch (error) {
    throw new BallastError(
      `cannot make the folder of runs ${workspace}: ${(error as Error).message}`,
      "Name another one with --out or workspace=DIR.",
    );
  }
  const numbers = [...readdirSync(workspace), ...taken]
    .filter((id) => id.startsWith(`${name}-`))
    .map((id) => id.slice(name.length + 1))
    .filter((rest) => /^\d+$/.test(rest))
    .map(Number);
  // Another process may take the same number at the same time: making the folder is what decides.
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

/** The run that a user means: an id in the workspace, or the path of a run's folder. */
export function findRun(run: string, workspace: string, what = "run"): RunPlace {
  const candidates = [join(workspace, run), run].map((path) => resolve(path));
  for (const folder of candidates) {
    if (existsSync(join(folder, "config.json")) && !existsSync(join(folder, "model.safetensors"))) {
      return { id: basename(folder), folder, workspace: dirname(folder) };
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

/** Whether any stage of the run has saved something to go on from. */
export function hasCheckpoint(folder: string): boolean {
  return readdirSync(folder, { withFileTypes: true })
    .filter((stage) => stage.isDirectory())
    .some((stage) => readdirSync(join(folder, stage.name)).some((name) => /^(checkpoint-\d+|final)$/.test(name)));
}

/** How to name the run on a command line: by its id in the default workspace, else by its folder. */
export function runArgument({ id, workspace, folder }: RunPlace): string {
  return resolve("runs") === workspace ? id : shortPath(folder);
}

/** How the user calls this program from where they are. */
export function selfName(script = process.argv[1] ?? "", searchPath = process.env.PATH ?? ""): string {
  if (script.includes(`${sep}node_modules${sep}`)) return "npx ballast";
  if (searchPath.split(delimiter).includes(dirname(script))) return basename(script);
  const short = relative(process.cwd(), script);
  return short.startsWith("..") || short === "" ? script : `.${sep}${short}`;
}
