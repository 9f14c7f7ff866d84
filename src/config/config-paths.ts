/**
 * The paths in a configuration. In a file they are relative to the file's own folder, so that a configuration and the files it names move
 * together; in an override they are relative to the current directory, like everything on a command line. In memory they are relative to
 * the current directory: no other module needs to know about this. A model's URI is not a path and stays as it is. What is on the Hub (`hf://`) is in
 * memory a path into the Hub's cache, and in a record the Hub's name again, with the commit.
 */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import { isPattern, matchesOf } from "../data/data-files.ts";
import {
  cachedPath,
  hubReferenceOf,
  hubReferenceText,
  isHubReference,
  NotPulledError,
  parseHubReference,
} from "../hub/index.ts";
import { schemeOf } from "../settings/model-reference.ts";
import { at } from "../settings/schema-fields.ts";
import { messageOf, UsageError } from "../util/errors.ts";
import { fromHome } from "../util/platform.ts";
import type { Path } from "../util/yaml-source.ts";
import { dotted, type Problem, valueAt } from "./problems.ts";

/** Paths of rows: one, or a list of them. */
const rowFiles = [
  "sft.data.path",
  "sft.evaluation.path",
  "reward.data.path",
  "reward.evaluation.path",
  "ppo.prompts.path",
  "evaluation.prompts.path",
  "control.monitor.prompts.path",
];
/** `*` stands for every entry of a list. `workspace` is not included: runs go where the command is given. */
const dataFiles = [
  ...rowFiles,
  ...rowFiles.map((pattern) => `${pattern}.*`),
  "control.probes.ratings",
  "control.rules",
];
const modelFolders = ["model.path", "tokenizer.path", "reward.from", "ppo.policy", "ppo.reference", "ppo.critic"];
const componentPaths = ["ppo.rewards.*.path", "ppo.gold.path"];
/** Either a run's id, which stays as it is, or a path, which contains a separator or names a YAML file. */
const runOrPath = "experiment.previous";
/** Programs: a path if it has a separator, else a name that the system looks up. */
const programs = ["engine", "engine.reference", "engine.critic", "engine.reward"].map((section) => `${section}.python`);

/** Folders of models and tokenizers that a configuration names. */
export function modelFoldersOf(config: unknown): string[] {
  const components = componentPaths
    .flatMap((pattern) => placesOf(pattern, config))
    .filter((place) => valueAt(config, [...place.slice(0, -1), "kind"]) !== "function");
  const places = [...modelFolders.flatMap((pattern) => placesOf(pattern, config)), ...components];
  return [...new Set(places.map((place) => String(valueAt(config, place))))].filter(existsSync);
}

/** A copy whose paths, relative to the folder `from`, are made relative to the folder `to`. Absolute paths stay. */
export function rebasePaths<T>(root: T, { from, to }: { from: string; to: string }): T {
  let result: unknown = root;
  const patterns = [...dataFiles, ...modelFolders, ...componentPaths, runOrPath];
  for (const place of patterns.flatMap((pattern) => placesOf(pattern, root))) {
    const path = valueAt(result, place);
    if (place.join(".") === runOrPath && !/[\\/]|\.ya?ml$/.test(String(path))) continue;
    if (typeof path === "string" && path !== "") result = withValue(result, place, rebase(path, from, to));
  }
  for (const place of programs.flatMap((pattern) => placesOf(pattern, root))) {
    const program = valueAt(root, place);
    if (typeof program !== "string" || !/[\\/]/.test(program)) continue;
    const path = rebase(program, from, to);
    // A program in the current directory would otherwise be looked up by its name.
    result = withValue(result, place, /[\\/]/.test(path) ? path : `./${path}`);
  }
  return result as T;
}

/** A copy in which each name on the Hub is the path in the cache of what it names, if the cache has it. A name that cannot be read stays. */
export function withCachedPaths<T>(root: T): T {
  return withEach(root, (path) => {
    const reference = isHubReference(path) ? readable(path) : null;
    return reference === null ? path : (cachedPath(reference) ?? path);
  });
}

/** A copy in which each path into the Hub's cache is the name on the Hub, with the commit. Paths are relative to the current directory. */
export function withHubNames<T>(root: T): T {
  return withEach(root, (path) => {
    const reference = schemeOf(path) === null ? hubReferenceOf(path) : null;
    return reference === null ? path : hubReferenceText(reference);
  });
}

/** Throws NotPulledError for the first name on the Hub whose files the cache lacks. */
export function requirePulled(root: unknown): void {
  withEach(root, (path) => {
    const reference = isHubReference(path) ? readable(path) : null;
    if (reference !== null) throw new NotPulledError(reference);
    return path;
  });
}

function readable(path: string) {
  try {
    return parseHubReference(path);
  } catch {
    return null;
  }
}

/** A copy with every path to data, a model or code changed. */
function withEach<T>(root: T, change: (path: string) => string): T {
  let result: unknown = root;
  for (const place of [...dataFiles, ...modelFolders, ...componentPaths].flatMap((pattern) =>
    placesOf(pattern, root),
  )) {
    const path = valueAt(root, place);
    const changed = typeof path === "string" && path !== "" ? change(path) : path;
    if (changed !== path) result = withValue(result, place, changed);
  }
  return result as T;
}

function rebase(path: string, from: string, to: string): string {
  if (schemeOf(path) !== null) return path;
  const own = fromHome(path);
  if (isAbsolute(own)) return own;
  return relative(to, resolve(from, path)) || ".";
}

/** A problem with the path itself, and the section of the configuration that names it. */
export interface PathProblem extends Problem {
  readonly section: string;
  readonly path: string;
}

/**
 * Paths in the configuration that do not exist or are of the wrong kind. Missing data and code are errors; a missing model folder is a
 * warning, because an earlier command may be about to make it, unless the folder exists at the path that the writer probably meant. `file`
 * is the configuration's path, or null.
 */
export function missingPaths(root: unknown, file: string | null): { errors: PathProblem[]; warnings: PathProblem[] } {
  const errors: PathProblem[] = [];
  const warnings: PathProblem[] = [];
  for (const pattern of [...dataFiles, ...modelFolders, ...componentPaths]) {
    for (const place of placesOf(pattern, root)) {
      const path = valueAt(root, place);
      // Any other value is reported as a wrong value.
      if (typeof path !== "string" || path === "") continue;
      const unreadable = isHubReference(path) ? whyUnreadable(path) : null;
      if (unreadable !== null) {
        const message = `${dotted(place)}: ${unreadable}`;
        errors.push({ paths: [place], message, section: String(place[0]), path });
        continue;
      }
      // What is still to be pulled is looked at after that.
      if (isHubReference(path)) continue;
      const isFile = dataFiles.includes(pattern) || valueAt(root, [...place.slice(0, -1), "kind"]) === "function";
      if (!isFile && schemeOf(path) !== null) continue;
      const wanted = isFile ? "file" : "folder";
      const wrong = whyNot(path, wanted);
      if (wrong === null) continue;
      const meant = wrong.absent && file !== null ? meantPath(path, file) : undefined;
      const advice = meant ? `; paths are relative to the configuration's folder: write ${meant}` : "";
      const found = { paths: [place], message: `${dotted(place)}: ${wrong.message}${advice}` };
      const fatal = isFile || !wrong.absent || meant !== undefined;
      (fatal ? errors : warnings).push({ ...found, section: String(place[0]), path });
    }
  }
  return { errors, warnings };
}

/** What is wrong with a path that should be a file or a folder; null if it is one and can be read. */
function whyNot(path: string, wanted: "file" | "folder"): { message: string; absent: boolean } | null {
  if (wanted === "file" && isPattern(path)) {
    if (matchesOf(path).length > 0) return null;
    return { message: `no file matches ${path}`, absent: true };
  }
  try {
    const isFolder = statSync(path).isDirectory();
    const onHub = isFolder && wanted === "file" ? hubReferenceOf(path) : null;
    if (onHub !== null) {
      const name = hubReferenceText(onHub);
      const some = matchesOf(`${path}/**`).slice(0, 5);
      const files = some.map((file) => relative(path, file).replaceAll("\\", "/"));
      return {
        message: `${name} is a whole data set: name its file or files, ${name}/FILE; it has ${files.join(", ")}`,
        absent: false,
      };
    }
    if (isFolder !== (wanted === "folder"))
      return { message: `${path} is a ${isFolder ? "folder" : "file"}, not a ${wanted}`, absent: false };
    accessSync(path, constants.R_OK);
    return null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return { message: `there is no ${wanted} ${path}`, absent: true };
    return { message: `the ${wanted} ${path} cannot be read: ${messageOf(error)}`, absent: false };
  }
}

function whyUnreadable(path: string): string | null {
  try {
    parseHubReference(path);
    return null;
  } catch (error) {
    if (error instanceof UsageError) return `${error.message}. ${error.hint}`;
    throw error;
  }
}

/** What to write if the writer of the file meant a path from the current directory. */
function meantPath(path: string, file: string): string | undefined {
  const folder = dirname(file);
  const written = relative(folder, path);
  return isAbsolute(path) || folder === "." || !existsSync(written) ? undefined : relative(folder, written);
}

/** The paths in this value that match a pattern. */
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
