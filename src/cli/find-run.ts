/** How runs, workspaces and this program are named on a command line. */
import { resolve } from "node:path";
import type { RunPlace } from "../inspect/places.ts";
import { BallastError } from "../util/errors.ts";
import { type On, pathsOf, sameName, scriptCommand, shellWord } from "../util/platform.ts";
import { shortPath } from "./short-path.ts";

/** The run's name on a command line: its id in the default workspace, else its folder. */
export function runArgument({ id, workspace, folder }: RunPlace): string {
  return shellWord(sameName(resolve("runs"), workspace) ? id : shortPath(folder));
}

/** The option that makes a command use this workspace; empty for ./runs. */
export function workspaceOption(workspace: string): string {
  return sameName(resolve("runs"), resolve(workspace)) ? "" : ` --workspace ${shellWord(shortPath(workspace))}`;
}

/** The command that continues a run. */
export function resumeCommand(place: RunPlace): string {
  return `${selfName()} resume ${runArgument(place)}`;
}

/** The command that shows an incident, and how it can be decided. */
export function showCommand(incident: number, workspace: string): string {
  return `${selfName()} incidents show ${incident}${workspaceOption(workspace)}`;
}

/** The same error with this run's name in its hint instead of `RUN`. */
export function naming<Thrown>(error: Thrown, place: RunPlace): Thrown {
  if (error instanceof BallastError) error.hint = error.hint?.replaceAll(/\bRUN\b/g, () => runArgument(place));
  return error;
}

/** A text in which commands are written as this shell starts them, wherever the program is; some already have its path. */
export function asTyped(text: string): string {
  return text.replace(/(?<!\/|npx )\bballast (?=[a-z]|--)/g, () => `${selfName()} `);
}

export interface SelfOptions extends On {
  /** Path of the script; by default this program's own. */
  readonly script?: string;
  readonly searchPath?: string;
  readonly cwd?: string;
}

/** The name by which the user calls this program from the current directory. */
export function selfName({
  script = process.argv[1] ?? "",
  searchPath = process.env.PATH ?? "",
  cwd = process.cwd(),
  ...on
}: SelfOptions = {}): string {
  const { basename, delimiter, dirname, isAbsolute, relative, sep } = pathsOf(on);
  const onPath = (folder: string) => searchPath.split(delimiter).some((place) => sameName(place, folder, on));
  const [project, installed] = script.split(`${sep}node_modules${sep}`) as [string, string?];
  if (installed !== undefined) {
    // From elsewhere npx would look for a package of this name in the registry.
    if (`${cwd}${sep}`.startsWith(`${project}${sep}`)) return "npx ballast";
    // On Windows npm puts the programs of global packages beside their node_modules.
    if (onPath(project)) return "ballast";
  } else if (onPath(dirname(script))) return basename(script);
  const short = relative(cwd, script);
  const below = short !== "" && !short.startsWith("..") && !isAbsolute(short);
  return scriptCommand(below ? `.${sep}${short}` : script, on);
}
