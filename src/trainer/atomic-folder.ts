/** Folders that appear either whole or not at all, with a manifest that reveals damage. */
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { writeDurably } from "../util/durable.ts";
import { CheckpointError, messageOf } from "../util/errors.ts";
import { fromJson, toJson } from "../util/json-values.ts";
import {
  type FileRecord,
  type FileRecords,
  firstDifference,
  manifestFile,
  readManifest,
  recordOf,
} from "../util/manifest.ts";
import { flushFolder, removeTree, rename } from "../util/platform.ts";

const stateFile = "state.json";
/** Prefix of folders being written or removed; nobody reads them. */
const temporaryPrefix = ".";

export interface WriteFolderRequest {
  /** The folder's path; an existing folder is replaced. */
  readonly folder: string;
  /** The state, written as `state.json`: anything that JSON can hold, and numbers that are not finite. */
  readonly state: unknown;
  /** Writes the other files into the given folder, each flushed to disk. */
  readonly write: (folder: string) => Promise<void>;
  /** The head of the run's hash chain, kept in the manifest: a record that is rewritten later no longer has it. */
  readonly head?: string | null;
  /** Called when everything is on the disk, just before the folder gets its name. */
  readonly onWritten?: () => void;
}

/**
 * Writes a temporary sibling, flushes it, and renames it: whatever happens, the folder is never half written. If writing fails (on a full disk, for
 * example) the temporary folder is removed and an older folder with this name stays.
 */
export async function writeFolder({ folder, state, write, head = null, onWritten }: WriteFolderRequest): Promise<void> {
  const parent = dirname(folder);
  const temporary = join(parent, `${temporaryPrefix}${basename(folder)}.new`);
  try {
    await removeTree(temporary);
    await mkdir(temporary, { recursive: true });
    await write(temporary);
    writeDurably(join(temporary, stateFile), toJson(state));
    writeDurably(
      join(temporary, manifestFile),
      toJson({ files: await recordsOf(temporary), ...(head !== null && { head }) }),
    );
    await flushFolders(temporary);
    onWritten?.();
    await replaceFolder(folder, temporary);
    flushFolder(parent);
  } catch (error) {
    await removeTree(temporary);
    throw error;
  }
}

/** Puts a folder in the place of an existing one: renaming onto a folder with files fails on every system. */
async function replaceFolder(folder: string, replacement: string): Promise<void> {
  if (!existsSync(folder)) {
    rename(replacement, folder);
    return;
  }
  const old = await moveAside(folder);
  try {
    rename(replacement, folder);
  } catch (error) {
    rename(old, folder);
    throw error;
  }
  await removeTree(old);
}

/** Deletes a folder so that a crash leaves no half of it under its name. */
export async function removeFolder(folder: string): Promise<void> {
  await removeTree(await moveAside(folder));
}

/** Moves a folder to a temporary name and returns its new path. */
async function moveAside(folder: string): Promise<string> {
  const aside = join(dirname(folder), `${temporaryPrefix}${basename(folder)}.old`);
  await removeTree(aside);
  rename(folder, aside);
  return aside;
}

/** What a crash left half written or half deleted in this folder. */
export async function temporariesIn(parent: string): Promise<string[]> {
  if (!existsSync(parent)) return [];
  const names = await readdir(parent);
  return names
    .filter((name) => name.startsWith(temporaryPrefix) && /\.(new|old)$/.test(name))
    .map((name) => join(parent, name));
}

/** Removes it. */
export async function removeTemporary(parent: string): Promise<void> {
  for (const path of await temporariesIn(parent)) await removeTree(path);
}

/** The state of a folder whose files are all intact. Throws CheckpointError that names what is not. */
export async function readFolder(folder: string): Promise<unknown> {
  const damaged = (what: string, cause?: unknown): CheckpointError =>
    new CheckpointError(
      `${folder} is damaged: ${what}`,
      "Move the folder away: the run continues from an older checkpoint, or the stage starts over.",
      { cause },
    );
  let files: FileRecords | null;
  try {
    files = readManifest(folder);
  } catch (error) {
    throw damaged(`${manifestFile} cannot be read (${messageOf(error)})`, error);
  }
  if (files === null && !existsSync(join(folder, manifestFile)))
    throw damaged(`${manifestFile} cannot be read (it is missing)`);
  const difference = await firstDifference(folder, files ?? {});
  if (difference !== null) throw damaged(difference);
  if (files?.[stateFile] === undefined) throw damaged(`${manifestFile} does not name ${stateFile}`);
  return fromJson(readFileSync(join(folder, stateFile), "utf8"));
}

/**
 * Throws CheckpointError if a folder with a manifest, or one inside such a folder (a checkpoint's policy), differs from what Ballast wrote. Any other
 * folder passes.
 */
export async function verifyFolder(folder: string, { remedy }: { readonly remedy?: string } = {}): Promise<void> {
  for (const [root, prefix] of [
    [folder, ""],
    [dirname(resolve(folder)), `${basename(resolve(folder))}/`],
  ] as const) {
    const entries = Object.entries(manifestIn(root) ?? {}).filter(([name]) => name.startsWith(prefix));
    if (entries.length === 0) continue;
    const difference = await firstDifference(root, Object.fromEntries(entries));
    if (difference === null) return;
    throw new CheckpointError(
      `${root} is damaged: ${difference}`,
      remedy ??
        `Copy the folder again from where it came from. If the change is meant, delete ${join(root, manifestFile)}.`,
    );
  }
}

function manifestIn(folder: string): FileRecords | null {
  try {
    return readManifest(folder);
  } catch (error) {
    // The manifest is a different program's: Ballast writes both files.
    if (!existsSync(join(folder, stateFile))) return null;
    throw new CheckpointError(
      `${join(folder, manifestFile)} cannot be read: ${messageOf(error)}`,
      "Copy the folder again from where it came from.",
      { cause: error },
    );
  }
}

async function recordsOf(folder: string): Promise<FileRecords> {
  const files: Record<string, FileRecord> = {};
  for (const path of await filesBelow(folder))
    files[relative(folder, path).split(sep).join("/")] = await recordOf(path);
  return files;
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

async function flushFolders(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await flushFolders(join(folder, entry.name));
  flushFolder(folder);
}
