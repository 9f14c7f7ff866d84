/**
 * The cache in the layout of Hugging Face's own client, so that Python finds what Ballast pulled and the other way round:
 * `models--ORG--NAME/{blobs,refs,snapshots,trees}`. A snapshot is a folder named by its commit, of links to blobs, which are named by their hashes.
 */
import { copyFileSync, existsSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { writeDurably } from "../util/durable.ts";
import { rename } from "../util/platform.ts";
import { hasWeights, isAdapterFolder, weightFilesIn } from "../util/weight-files.ts";
import { wantedFiles } from "./hub-files.ts";
import {
  type HubReference,
  isCommit,
  isFilePattern,
  isHubReference,
  isInside,
  parseHubReference,
} from "./hub-reference.ts";
import { hubCache, isOffline } from "./hub-settings.ts";
import { NotPulledError } from "./not-pulled.ts";

/** A file of a repository at one commit. */
export interface TreeEntry {
  readonly path: string;
  /** Bytes of the file itself. */
  readonly size: number;
  /** The name of its blob: SHA-256 of its bytes if it is kept as a large file, else Git's SHA-1. */
  readonly blob: string;
  /** The entry as the client's `trees/COMMIT.json` holds it. */
  readonly stored: Readonly<Record<string, unknown>>;
}

export function repositoryFolder({ type, id }: HubReference, cache = hubCache()): string {
  return join(cache, `${type}s--${id.replaceAll("/", "--")}`);
}

export function snapshotFolder(reference: HubReference, commit: string, cache = hubCache()): string {
  return join(repositoryFolder(reference, cache), "snapshots", commit);
}

/** The commit that a revision was when it was last pulled; null if it never was. */
export function cachedCommit(reference: HubReference, cache = hubCache()): string | null {
  const revision = reference.revision ?? "main";
  if (isCommit(revision)) return revision;
  try {
    const commit = readFileSync(
      join(repositoryFolder(reference, cache), "refs", ...revision.split("/")),
      "utf8",
    ).trim();
    return isCommit(commit) ? commit : null;
  } catch {
    return null;
  }
}

/** Records which commit a revision is. */
export function keepCommit(reference: HubReference, commit: string, cache = hubCache()): void {
  const revision = reference.revision ?? "main";
  if (revision === commit || cachedCommit(reference, cache) === commit) return;
  const path = join(repositoryFolder(reference, cache), "refs", ...revision.split("/"));
  mkdirSync(dirname(path), { recursive: true });
  writeDurably(path, commit);
}

const treeVersion = 1;

/** The files of a commit as an earlier pull, or Python, listed them; null if none did. */
export function cachedTree(reference: HubReference, commit: string, cache = hubCache()): TreeEntry[] | null {
  try {
    const path = join(repositoryFolder(reference, cache), "trees", `${commit}.json`);
    const { format_version, files } = JSON.parse(readFileSync(path, "utf8"));
    return format_version === treeVersion ? entriesOf(files) : null;
  } catch {
    return null;
  }
}

export function keepTree(
  reference: HubReference,
  commit: string,
  tree: readonly TreeEntry[],
  cache = hubCache(),
): void {
  const path = join(repositoryFolder(reference, cache), "trees", `${commit}.json`);
  mkdirSync(dirname(path), { recursive: true });
  const sorted = [...tree].sort((a, b) => (a.path < b.path ? -1 : 1));
  const files = Object.fromEntries(sorted.map((entry) => [entry.path, entry.stored]));
  writeDurably(path, JSON.stringify({ format_version: treeVersion, files }, null, 1));
}

/** The entries that a snapshot can hold: a name or hash that would lead out of it is none. Throws on anything that is not a listing. */
export function entriesOf(files: Readonly<Record<string, Readonly<Record<string, unknown>>>>): TreeEntry[] {
  return Object.entries(files).map(([path, stored]) => {
    const { size, blob_id, lfs_sha256, lfs_size } = stored;
    const blob = lfs_sha256 ?? blob_id;
    const bytes = lfs_sha256 === undefined ? size : lfs_size;
    if (!isInside(path) || typeof blob !== "string" || !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(blob))
      throw new Error(`${JSON.stringify(path)} has no usable name or hash`);
    if (!Number.isSafeInteger(bytes) || (bytes as number) < 0) throw new Error(`${JSON.stringify(path)} has no size`);
    return { path, size: bytes as number, blob, stored };
  });
}

/** Links a snapshot's file to its blob; if links need a right that the user lacks (Windows), it is the same file by a second name, or a copy. */
export function linkBlob(blob: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  if (existsSync(to)) return;
  rmSync(to, { force: true });
  try {
    symlinkSync(relative(dirname(to), blob), to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    if (!["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EINVAL", "EACCES"].includes(code ?? "")) throw error;
    try {
      linkSync(blob, to);
    } catch {
      copyFileSync(blob, `${to}.new`);
      rename(`${to}.new`, to);
    }
  }
}

/**
 * The path in the cache of a model, a file or a pattern on the Hub.
 * @throws NotPulledError if the cache lacks it, or part of it
 */
export function localPath(reference: HubReference, env: NodeJS.ProcessEnv = process.env): string {
  const found = cachedPath(reference, env);
  if (found !== null) return found;
  throw new NotPulledError(reference);
}

/** A path as it stands, or that in the cache of a name on the Hub. Throws as `localPath` and `parseHubReference` do. */
export function onDisk(pathOrName: string): string {
  return isHubReference(pathOrName) ? localPath(parseHubReference(pathOrName)) : pathOrName;
}

/** As `localPath`; null if the cache lacks it. Offline, a snapshot whose list of files is unknown counts as whole. */
export function cachedPath(reference: HubReference, env: NodeJS.ProcessEnv = process.env): string | null {
  const cache = hubCache(env);
  const commit = cachedCommit(reference, cache);
  if (commit === null) return null;
  const snapshot = snapshotFolder(reference, commit, cache);
  if (statSync(snapshot, { throwIfNoEntry: false }) === undefined) return null;
  const path = join(snapshot, ...reference.file.split("/"));
  const tree = cachedTree(reference, commit, cache);
  if (tree !== null) {
    const wanted = wantedFiles(
      tree.map((entry) => entry.path),
      reference,
    );
    const whole = wanted.length > 0 && wanted.every((name) => existsSync(join(snapshot, ...name.split("/"))));
    return whole ? path : null;
  }
  if (isOffline(env)) return isFilePattern(reference.file) || existsSync(path) ? path : null;
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) return null;
  return status.isFile() || (reference.type === "model" && isWholeModel(path)) ? path : null;
}

/** The Hub's name, with the commit, of a path that lies in a snapshot of the cache; null for any other path. */
export function hubReferenceOf(path: string, env: NodeJS.ProcessEnv = process.env): HubReference | null {
  const cache = resolve(hubCache(env));
  const whole = resolve(path);
  if (!whole.startsWith(cache + sep)) return null;
  const below = whole.slice(cache.length + 1).split(sep);
  const [, type, name] = /^(model|dataset)s--(.+)$/.exec(below[0] ?? "") ?? [];
  const [, snapshots, commit = "", ...file] = below;
  if (type === undefined || name === undefined || snapshots !== "snapshots" || !isCommit(commit)) return null;
  return { type: type as HubReference["type"], id: name.replace("--", "/"), revision: commit, file: file.join("/") };
}

function isWholeModel(folder: string): boolean {
  if (isAdapterFolder(folder)) return true;
  if (!existsSync(join(folder, "config.json")) || !hasWeights(folder)) return false;
  try {
    weightFilesIn(folder);
    return true;
  } catch {
    return false;
  }
}
