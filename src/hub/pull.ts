/** Pulls a model or a data set from the Hub into the cache: whole and checked, or as far as it came, to go on from there. */
import { existsSync, mkdirSync, statfsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as pauseFor } from "node:timers/promises";
import { HubError } from "../util/errors.ts";
import { type FileLock, tryLock } from "../util/file-lock.ts";
import { commitOnHub, fileAddress, treeOnHub } from "./hub-api.ts";
import {
  cachedCommit,
  cachedPath,
  cachedTree,
  keepCommit,
  keepTree,
  linkBlob,
  repositoryFolder,
  snapshotFolder,
  type TreeEntry,
} from "./hub-cache.ts";
import { downloadBlob, removeIfWrong } from "./hub-download.ts";
import { type FileChoice, wantedFiles } from "./hub-files.ts";
import { type HubReference, hubReferenceText, isCommit } from "./hub-reference.ts";
import type { Asking } from "./hub-request.ts";
import { hubCache, hubSettings } from "./hub-settings.ts";

export interface PullProgress {
  readonly done: number;
  readonly total: number;
  /** The file whose bytes came last. */
  readonly file: string;
}

export interface PullOptions extends FileChoice, Pick<Asking, "signal" | "pause"> {
  readonly reference: HubReference;
  readonly onProgress?: (progress: PullProgress) => void;
  readonly onNote?: (text: string) => void;
  readonly env?: NodeJS.ProcessEnv;
  /** Bytes free on a disk; a test has its own. */
  readonly freeBytes?: (folder: string) => number;
  readonly stallLimit?: number;
  /** Whether files that the cache has are compared with their hashes, too. */
  readonly verify?: boolean;
}

export interface Pulled {
  /** The reference with the commit as its revision: the same bytes for ever. */
  readonly reference: HubReference;
  /** The snapshot's folder, or the file in it. */
  readonly path: string;
  readonly files: readonly string[];
  /** Bytes of all files, and how many of them the cache had. */
  readonly bytes: number;
  readonly cached: number;
}

/** Files that are downloaded at once. */
const atOnce = 4;

/**
 * Pulls what the reference names, or says that the cache has it if the network may not be used or cannot.
 * @throws HubError with what is wrong and what to do; the signal's reason if it is aborted. What has come is kept.
 */
export async function pull(options: PullOptions): Promise<Pulled> {
  const { reference, env = process.env, onNote, signal, pause } = options;
  const settings = hubSettings(env);
  const cache = hubCache(env);
  if (settings.offline) return fromCache(options, "HF_HUB_OFFLINE is set");
  const asking: Asking = {
    ...settings,
    ...{ reference, signal, onRetry: onNote },
    pause: pause ?? ((milliseconds, stop) => pauseFor(milliseconds, undefined, { signal: stop })),
  };
  let commit: string;
  let tree: TreeEntry[];
  try {
    commit = isCommit(reference.revision ?? "") ? reference.revision! : await commitOnHub(reference, asking);
    tree = cachedTree(reference, commit, cache) ?? (await treeOnHub(reference, commit, asking));
  } catch (error) {
    if (!(error instanceof HubError) || error.cause === undefined || cachedPath(reference, env) === null) throw error;
    return fromCache(options, error.message);
  }
  const names = new Set(chosen(options, tree));
  const entries = tree.filter(({ path }) => names.has(path));
  const folder = repositoryFolder(reference, cache);
  const lock = await lockRepository(join(cache, ".locks", folder.slice(cache.length + 1)), asking);
  try {
    keepTree(reference, commit, tree, cache);
    const cached = await download(entries, { ...options, folder, commit, asking });
    keepCommit(reference, commit, cache);
    return result(reference, { commit, cache, entries, cached });
  } finally {
    lock.release();
  }
}

/** The names to pull. Throws HubError if there are none: what Ballast cannot read is named. */
function chosen(
  { reference, include, exclude }: Pick<PullOptions, "reference" | "include" | "exclude">,
  tree: readonly TreeEntry[],
): string[] {
  const all = tree.map(({ path }) => path);
  const names = wantedFiles(all, reference, { ...(include && { include }), ...(exclude && { exclude }) });
  const { type, id, file } = reference;
  const holds = all.slice(0, 8).join(", ") + (all.length > 8 ? `, and ${all.length - 8} more` : "");
  if (names.length === 0)
    throw new HubError(
      `${file !== "" && include === undefined ? `${id} has no ${file}` : `${id} has no file to pull`}; it holds ${holds || "nothing"}`,
      include === undefined && file === "" && type === "dataset"
        ? "Rows are Parquet, JSONL, JSON, CSV or text; the Hub keeps most data sets as Parquet, too: add @refs/convert/parquet."
        : "Name the files with --include.",
    );
  const otherWeights = all.filter((name) => /^[^/]+\.(bin|gguf|pt|pth|h5|msgpack|onnx)$/.test(name));
  if (type === "model" && include === undefined && file === "" && otherWeights.length > 0)
    if (!names.some((name) => name.endsWith(".safetensors")))
      throw new HubError(
        `${id} holds its weights as ${otherWeights.slice(0, 3).join(", ")}, and Ballast reads safetensors`,
        `Look for a copy in safetensors, or convert it: ballast pull ${id} --include '*', and the folder's first use says how.`,
      );
  return names;
}

interface DownloadAll extends PullOptions {
  readonly folder: string;
  readonly commit: string;
  readonly asking: Asking;
}

/** Downloads and links the files, the small ones first. Returns how many bytes were there already. */
async function download(entries: readonly TreeEntry[], options: DownloadAll): Promise<number> {
  const { reference, commit, folder, asking, onProgress, onNote, freeBytes = freeOn, stallLimit, verify } = options;
  const blobs = join(folder, "blobs");
  mkdirSync(blobs, { recursive: true });
  if (verify)
    for (const entry of entries)
      if (await removeIfWrong(join(blobs, entry.blob), entry))
        onNote?.(`${entry.path} in the cache is not what the Hub has; it is downloaded again`);
  const total = sum(entries.map(({ size }) => size));
  const missing = entries.map(({ blob, size }) => size - bytesOf(join(blobs, blob), size));
  const room = freeBytes(blobs);
  if (sum(missing) > room)
    throw new HubError(
      `${bytesText(sum(missing))} are to come, and the disk of ${blobs} has ${bytesText(room)} left`,
      "Free some space, or set HF_HUB_CACHE to a folder on a larger disk.",
    );
  let done = 0;
  const snapshot = join(folder, "snapshots", commit);
  const waiting = [...entries].sort((a, b) => a.size - b.size);
  // Files with the same bytes are one blob: the second waits for the first.
  const underWay = new Map<string, Promise<void>>();
  const failed = new AbortController();
  const signal = asking.signal ? AbortSignal.any([asking.signal, failed.signal]) : failed.signal;
  const worker = async () => {
    for (let entry = waiting.shift(); entry !== undefined && !signal.aborted; entry = waiting.shift()) {
      const { path, blob } = entry;
      const place = join(blobs, blob);
      const work = (underWay.get(blob) ?? Promise.resolve()).then(() =>
        downloadBlob({
          ...{ entry, blob: place, url: fileAddress(reference, commit, path, asking), asking: { ...asking, signal } },
          ...(stallLimit !== undefined && { stallLimit }),
          onBytes(bytes) {
            done += bytes;
            onProgress?.({ done, total, file: path });
          },
        }),
      );
      underWay.set(blob, work);
      await work;
      linkBlob(place, join(snapshot, ...path.split("/")));
    }
  };
  const cached = total - sum(missing);
  const results = await Promise.allSettled(
    Array.from({ length: atOnce }, () =>
      worker().catch((error: unknown) => {
        failed.abort(error);
        throw error;
      }),
    ),
  );
  asking.signal?.throwIfAborted();
  if (failed.signal.aborted) throw withWhatIsKept(failed.signal.reason, { done, total });
  const other = results.find((one) => one.status === "rejected");
  if (other) throw other.reason;
  return cached;
}

/** A full disk says how far it came, too. */
function withWhatIsKept(error: unknown, { done, total }: { done: number; total: number }): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== "ENOSPC" && code !== "EDQUOT") return error;
  return new HubError(
    `the disk is full: ${bytesText(done)} of ${bytesText(total)} have come, and are kept`,
    "Free some space, then give the same command again; or set HF_HUB_CACHE to a folder on a larger disk.",
    { cause: error },
  );
}

function fromCache(options: PullOptions, why: string): Pulled {
  const { reference, env = process.env, onNote } = options;
  const cache = hubCache(env);
  const commit = cachedCommit(reference, cache);
  const snapshot = commit === null ? null : snapshotFolder(reference, commit, cache);
  const tree = commit === null ? null : cachedTree(reference, commit, cache);
  const name = hubReferenceText(reference);
  if (commit === null || snapshot === null || !existsSync(snapshot))
    throw new HubError(
      `${name} is not in the cache ${cache}, and ${why}`,
      "Pull it once with a network; a copy of that cache from a different machine does, too.",
    );
  const names = new Set(tree === null ? [] : chosen(options, tree));
  const entries = (tree ?? []).filter(({ path }) => names.has(path));
  const lacking = entries.filter(({ path }) => !existsSync(join(snapshot, ...path.split("/"))));
  if (lacking.length > 0)
    throw new HubError(
      `the cache lacks ${lacking.length} of the ${entries.length} files of ${name}, and ${why}: ${lacking
        .slice(0, 3)
        .map(({ path }) => path)
        .join(", ")}`,
      "Pull it again with a network: what has come is kept.",
    );
  onNote?.(`${why}: ${name} is as the cache has it, commit ${commit}`);
  const bytes = sum(entries.map(({ size }) => size));
  return result(reference, { commit, cache, entries, cached: bytes });
}

function result(
  reference: HubReference,
  of: {
    readonly commit: string;
    readonly cache: string;
    readonly entries: readonly TreeEntry[];
    readonly cached: number;
  },
): Pulled {
  const { commit, cache, entries, cached } = of;
  return {
    reference: { ...reference, revision: commit },
    path: join(snapshotFolder(reference, commit, cache), ...reference.file.split("/")),
    files: entries.map(({ path }) => path),
    bytes: sum(entries.map(({ size }) => size)),
    cached,
  };
}

/** Waits until no other Ballast pulls this repository. Python's own locks are not seen: both write a blob under a name of its own and rename it. */
async function lockRepository(folder: string, { onRetry, pause, signal }: Asking): Promise<FileLock> {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "ballast.lock");
  for (let told = false; ; told = true) {
    const lock = tryLock(path);
    if (lock !== null) return lock;
    if (!told) onRetry?.(`another process pulls the same; waiting for it (${path})`);
    await pause!(500, signal);
    signal?.throwIfAborted();
  }
}

function bytesOf(blob: string, size: number): number {
  if (existsSync(blob)) return size;
  return Math.min(size, statSync(`${blob}.incomplete`, { throwIfNoEntry: false })?.size ?? 0);
}

function freeOn(folder: string): number {
  for (let place = folder; ; place = dirname(place)) {
    try {
      const { bavail, bsize } = statfsSync(place);
      return bavail * bsize;
    } catch (error) {
      // Some file systems do not say.
      if (dirname(place) === place || (error as NodeJS.ErrnoException).code !== "ENOENT") return Infinity;
    }
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

/** Bytes in the decimal units in which the Hub and disks are labelled. */
export function bytesText(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let size = bytes;
  for (; size >= 1000 && unit < units.length - 1; unit++) size /= 1000;
  return `${unit === 0 ? size : Number(size.toPrecision(3))} ${units[unit]}`;
}
