/**
 * The paths in a configuration. In a file they are relative to the file's own folder, so that a configuration and what
 * it names move together; in an override they are relative to the current directory, as all of a command line is.
 * In memory they are relative to the current directory: nothing else in the project needs to know of this.
 */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { at, type Path } from "./fields.ts";
import { dotted, type Problem, valueAt } from "./problems.ts";

/** `*` is every entry of a list. `workspace` is not among them: runs go where the command is given. */
const dataFiles = ["sft.data.path", "sft.evaluation.path", "reward.data.path", "reward.evaluation.path", "ppo.prompts.path", "evaluation.prompts.path"];
const modelFolders = ["model.path", "tokenizer.path", "reward.from", "ppo.policy", "ppo.reference", "ppo.critic"];
const componentPath = "ppo.rewards.*.path";

/** A copy whose paths, relative to the folder `from`, are relative to the folder `to`. Absolute paths stay. */
export function rebasePaths<T>(root: T, { from, to }: { from: string; to: string }): T {
  let result: unknown = root;
  for (const place of [...dataFiles, ...modelFolders, componentPath].flatMap((pattern) => placesOf(pattern, root))) {
    const path = valueAt(result, place);
    if (typeof path === "string" && path !== "") result = withValue(result, place, rebase(path, from, to));
  }
  return result as T;
}

function rebase(path: string, from: string, to: string): string {
  if (path === "~" || path.startsWith("~/")) return join(homedir(), path.slice(1));
  if (isAbsolute(path)) return path;
  return relative(to, resolve(from, path)) || ".";
}

/**
 * What the configuration names and is not there. Data and code are errors; a model's folder is a warning, because an
 * earlier command may be about to make it. `file` is the configuration's, or null.
 */
export function missingPaths(root: unknown, file: string | null): { errors: Problem[]; warnings: Problem[] } {
  const missing = (patterns: readonly string[], what: string): Problem[] =>
    patterns
      .flatMap((pattern) => placesOf(pattern, root))
      .flatMap((place) => {
        const path = valueAt(root, place);
        if (typeof path !== "string" || existsSync(path)) return [];
        return [{ paths: [place], message: `${dotted(place)}: there is no ${what} ${path}${advice(path, file)}` }];
      });
  const components = placesOf(componentPath, root).map(dotted);
  const isFunction = (place: string) => valueAt(root, [...place.split(".").slice(0, -1), "kind"]) === "function";
  return {
    errors: [...missing(dataFiles, "file"), ...missing(components.filter(isFunction), "file")],
    warnings: [...missing(modelFolders, "folder"), ...missing(components.filter((place) => !isFunction(place)), "folder")],
  };
}

/** Where the writer of the file seems to have meant the current directory. */
function advice(path: string, file: string | null): string {
  if (file === null || isAbsolute(path)) return "";
  const folder = dirname(file);
  const written = relative(folder, path);
  if (folder === "." || !existsSync(written)) return "";
  return `; paths are relative to the configuration's folder: write ${relative(folder, written)}`;
}

/** The paths that a pattern stands for in this value. */
function placesOf(pattern: string, root: unknown): Path[] {
  let places: (string | number)[][] = [[]];
  for (const key of pattern.split(".")) {
    places = places.flatMap((place) => {
      if (key !== "*") return [[...place, key]];
      const list = valueAt(root, place);
      return Array.isArray(list) ? list.map((_, i) => [...place, i]) : [];
    });
  }
  return places.filter((place) => valueAt(root, place) !== undefined);
}

function withValue(root: unknown, [key, ...rest]: Path, value: unknown): unknown {
  if (key === undefined) return value;
  const changed = withValue(at(root, key), rest, value);
  if (Array.isArray(root)) return root.map((entry, i) => (i === key ? changed : entry));
  return { ...(root as object), [key]: changed };
}
