/** Folders that appear whole or not at all, with a manifest that tells a damaged one. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { writeDurably } from "../util/durable.ts";
import { CheckpointError, messageOf } from "../util/errors.ts";
import { fromJson, toJson } from "../util/json.ts";
import { flushFolder, rename } from "../util/platform.ts";

const stateFile = "state.json";
const manifestFile = "manifest.json";
/** Folders on their way in or out; nobody reads them. */
const temporaryPrefix = ".";

interface Manifest {
  /** By path below the folder. */
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
}

export interface WriteFolderRequest {
  /** Replaced if it exists. */
  readonly folder: string;
  /** Anything JSON can hold, and non-finite numbers; written as `state.json`. */
  readonly state: unknown;
  /** Writes the other files into the folder it is given, each flushed to disk. */
  readonly write: (folder: string) => Promise<void>;
}

/**
 * Writes a temporary sibling, flushes it, and renames it: whatever happens, the folder is never half written. When
 * writing fails (a full disk, say) the temporary folder is removed and an older folder of this name stays.
 */
export async function writeFolder({ folder, state, write }: WriteFolderRequest): Promise<void> {
  const parent = dirname(folder);
  const temporary = join(parent, `${temporaryPrefix}${basename(folder)}.new`);
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true });
    await write(temporary);
    writeDurably(join(temporary, stateFile), toJson(state));
    writeDurably(join(temporary, manifestFile), toJson(await manifestOf(temporary)));
    await flushFolders(temporary);
    await replaceFolder(folder, temporary);
    flushFolder(parent);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** Puts a folder in another's place: a rename onto a folder with files in it fails on every system. */
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
  await rm(old, { recursive: true, force: true });
}

/** Deletes a folder so that a crash leaves no half of it under its name. */
export async function removeFolder(folder: string): Promise<void> {
  await rm(await moveAside(folder), { recursive: true, force: true });
}

/** Takes a folder's name away. Returns where it lies now. */
async function moveAside(folder: string): Promise<string> {
  const aside = join(dirname(folder), `${temporaryPrefix}${basename(folder)}.old`);
  await rm(aside, { recursive: true, force: true });
  rename(folder, aside);
  return aside;
}

/** Removes what a crash left half written or half deleted in this folder. */
export async function removeTemporary(parent: string): Promise<void> {
  if (!existsSync(parent)) return;
  for (const name of await readdir(parent)) {
    if (name.startsWith(temporaryPrefix) && /\.(new|old)$/.test(name))
      await rm(join(parent, name), { recursive: true, force: true });
  }
}

/** The state of a folder whose files are all as they were written. Throws CheckpointError that names what is not. */
export async function readFolder(folder: string): Promise<unknown> {
  const damaged = (what: string, cause?: unknown): CheckpointError =>
    new CheckpointError(
      `${folder} is damaged: ${what}`,
      "Move the folder away: the run goes on from an older checkpoint, or the stage starts over.",
      { cause },
    );
  let manifest: Manifest;
  try {
    manifest = fromJson(readFileSync(join(folder, manifestFile), "utf8")) as Manifest;
  } catch (error) {
    throw damaged(`${manifestFile} cannot be read (${messageOf(error)})`, error);
  }
  for (const [name, { bytes, sha256 }] of Object.entries(manifest.files ?? {})) {
    const path = join(folder, name);
    if (!existsSync(path)) throw damaged(`${name} is missing`);
    const { size } = await stat(path);
    if (size !== bytes) throw damaged(`${name} has ${size} bytes where ${bytes} were written`);
    if ((await sha256Of(path)) !== sha256) throw damaged(`${name} has other contents than were written`);
  }
  if (manifest.files?.[stateFile] === undefined) throw damaged(`${manifestFile} does not name ${stateFile}`);
  return fromJson(readFileSync(join(folder, stateFile), "utf8"));
}

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

async function manifestOf(folder: string): Promise<Manifest> {
  const files: Record<string, { bytes: number; sha256: string }> = {};
  for (const path of await filesBelow(folder)) {
    const name = relative(folder, path).split(sep).join("/");
    files[name] = { bytes: (await stat(path)).size, sha256: await sha256Of(path) };
  }
  return { files };
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
