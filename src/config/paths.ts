/**
 * The paths in a configuration. In a file they are relative to the file's own folder, so that a configuration and what
 * it names move together; in an override they are relative to the current directory, as all of a command line is.
 * In memory they are relative to the current directory: nothing else in the project needs to know of this.
 */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { at, type Path } from "./fields.ts";
import { type Checked, dotted, type Problem, valueAt } from "./problems.ts";

/** `*` is every entry of a list. `workspace` is not among them: runs go where the command is given. */
const dataFiles = [
  "sft.data.path",
  "sft.evaluation.path",
  "reward.data.path",
  "reward.evaluation.path",
  "ppo.prompts.path",
  "evaluation.prompts.path",
  "control.monitor.prompts.path",
  "control.probes.ratings",
  "control.rules",
];
const modelFolders = ["model.path", "tokenizer.path", "reward.from", "ppo.policy", "ppo.reference", "ppo.critic"];
const componentPath = "ppo.rewards.*.path";
/** A run's id, which stays as it is, or a path, which has a separator or names a YAML file. */
const runOrPath = "experiment.previous";

/** Folders of models and tokenizers that a configuration names. */
export function modelFoldersOf(config: unknown): string[] {
  const components = placesOf(componentPath, config).filter(
    (place) => valueAt(config, [...place.slice(0, -1), "kind"]) !== "function",
  );
  const places = [...modelFolders.flatMap((pattern) => placesOf(pattern, config)), ...components];
  return [...new Set(places.map((place) => String(valueAt(config, place))))].filter(existsSync);
}

/** A copy whose paths, relative to the folder `from`, are relative to the folder `to`. Absolute paths stay. */
export function rebasePaths<T>(root: T, { from, to }: { from: string; to: string }): T {
  let result: unknown = root;
  const patterns = [...dataFiles, ...modelFolders, componentPath, runOrPath];
  for (const place of patterns.flatMap((pattern) => placesOf(pattern, root))) {
    const path = valueAt(result, place);
    if (place.join(".") === runOrPath && !/[\\/]|\.ya?ml$/.test(String(path))) continue;
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
 * earlier command may be about to make it, unless it exists where the writer seems to have meant it. `file` is the
 * configuration's, or null.
 */
export function missingPaths(root: unknown, file: string | null): Checked {
  const errors: Problem[] = [];
  const warnings: Problem[] = [];
  for (const pattern of [...dataFiles, ...modelFolders, componentPath]) {
    for (const place of placesOf(pattern, root)) {
      const path = valueAt(root, place) as string;
      if (existsSync(path)) continue;
      const isFile = dataFiles.includes(pattern) || valueAt(root, [...place.slice(0, -1), "kind"]) === "function";
      const meant = file === null ? undefined : meantPath(path, file);
      const advice = meant && `; paths are relative to the configuration's folder: write ${meant}`;
      const message = `${dotted(place)}: there is no ${isFile ? "file" : "folder"} ${path}${advice ?? ""}`;
      (isFile || advice ? errors : warnings).push({ paths: [place], message });
    }
  }
  return { errors, warnings };
}

/** What to write where the writer of the file meant a path from the current directory. */
function meantPath(path: string, file: string): string | undefined {
  const folder = dirname(file);
  const written = relative(folder, path);
  return isAbsolute(path) || folder === "." || !existsSync(written) ? undefined : relative(folder, written);
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
