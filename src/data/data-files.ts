/** The files that a path names: one, several, or all that match a pattern such as `data/*.parquet`. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, sep } from "node:path";
import { isHubReference, onDisk } from "../hub/index.ts";
import { UsageError } from "../util/errors.ts";

/** One path or pattern, or a list of them. */
export type Paths = string | readonly string[];

/** Whether a path is a pattern, not the name of a file. A file with such a name is taken as it is. */
export function isPattern(path: string): boolean {
  return /[*?[\]{}]/.test(path) && !existsSync(path);
}

/**
 * Every file that the paths name, each once: lists in their order, the matches of a pattern in the order of their names. `*` and `?` stay within
 * a folder's name, `**` stands for any folders, `[0-9]` for one of these characters, `{a,b}` for one of these words. Hidden files match only
 * a pattern that begins with a dot.
 * @throws UsageError for a pattern that matches no file; NotPulledError for a name on the Hub (`hf://`) that the cache lacks
 */
export function filesOf(paths: Paths): string[] {
  const found = [paths].flat().flatMap((path) => {
    if (isHubReference(path)) return filesOf(onDisk(path));
    if (!isPattern(path)) return [path];
    const files = matchesOf(path);
    if (files.length > 0) return files;
    throw new UsageError(`no file matches ${path}`, "paths are relative to the folder the command runs in");
  });
  return [...new Set(found)];
}

/** The paths as one text, for messages and keys. */
export function pathsText(paths: Paths): string {
  return [paths].flat().join(", ");
}

/** The files that match a pattern, in the order of their names. */
export function matchesOf(pattern: string): string[] {
  const parts = pattern.split(/[\\/]/).filter((part, i) => part !== "" || i === 0);
  const root = parts[0] === "" ? sep : "";
  return walk(root, parts[0] === "" ? parts.slice(1) : parts).sort();
}

/** The files below `folder` that match the parts of a pattern. */
function walk(folder: string, [part, ...rest]: readonly string[]): string[] {
  if (part === undefined) return [];
  const isLast = rest.length === 0;
  if (!/[*?[\]{}]/.test(part)) {
    const path = join(folder, part);
    return isLast ? (existsSync(path) ? [path] : []) : walk(path, rest);
  }
  const entries = entriesOf(folder);
  const folders = entries.filter((entry) => !entry.isFile && !entry.name.startsWith("."));
  if (part === "**")
    return [
      ...walk(folder, isLast ? ["*"] : rest),
      ...folders.flatMap(({ name }) => walk(join(folder, name), ["**", ...rest])),
    ];
  const matches = nameMatcher(part);
  return entries
    .filter(({ name, isFile }) => isFile === isLast && matches.test(name))
    .flatMap(({ name }) => (isLast ? [join(folder, name)] : walk(join(folder, name), rest)));
}

function entriesOf(folder: string): { readonly name: string; readonly isFile: boolean }[] {
  try {
    return readdirSync(folder === "" ? "." : folder, { withFileTypes: true }).map((entry) => ({
      name: entry.name,
      isFile: !entry.isDirectory() && !(entry.isSymbolicLink() && isFolder(join(folder, entry.name))),
    }));
  } catch {
    return [];
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function nameMatcher(part: string): RegExp {
  const body = part.replace(/\[[^\]]+\]|\{[^}]+\}|\*|\?|[.+^$()|\\{}[\]]/g, (found) => {
    if (found === "*") return "[^/]*";
    if (found === "?") return "[^/]";
    if (found.length > 1 && found.startsWith("[")) return found.replace(/^\[!/, "[^").replace(/\\/g, "\\\\");
    if (found.length > 1 && found.startsWith("{")) return `(?:${found.slice(1, -1).split(",").map(escaped).join("|")})`;
    return escaped(found);
  });
  return new RegExp(`^${part.startsWith(".") ? "" : "(?!\\.)"}${body}$`);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
