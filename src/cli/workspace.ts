/** The folder of a new run, and how to name a run on a command line. */
import { mkdirSync, readdirSync } from "node:fs";
import { basename, delimiter, dirname, join, relative, resolve, sep } from "node:path";
import type { RunPlace } from "../record/places.ts";
import { BallastError } from "../util/errors.ts";
import { shortPath } from "./paths.ts";

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

/** A text in which commands stand as this shell starts them, wherever the program lies; some have its place already. */
export function asTyped(text: string): string {
  return text.replace(/(?<!\/|npx )\bballast (?=[a-z])/g, () => `${selfName()} `);
}

/** How the user calls this program from where they are. */
export function selfName(script = process.argv[1] ?? "", searchPath = process.env.PATH ?? ""): string {
  if (script.includes(`${sep}node_modules${sep}`)) return "npx ballast";
  if (searchPath.split(delimiter).includes(dirname(script))) return basename(script);
  const short = relative(process.cwd(), script);
  return short.startsWith("..") || short === "" ? script : `.${sep}${short}`;
}
