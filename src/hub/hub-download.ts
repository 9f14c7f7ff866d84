/** One file's bytes from the Hub into a blob of the cache: it goes on after a cut where it was, and is kept only if its hash is right. */
import { createHash, type Hash } from "node:crypto";
import { createReadStream, existsSync, rmSync, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { BallastError, HubError, messageOf } from "../util/errors.ts";
import { rename } from "../util/platform.ts";
import type { TreeEntry } from "./hub-cache.ts";
import { type Asking, get, pauseBefore, unreachable } from "./hub-request.ts";

export interface DownloadOptions {
  readonly url: string;
  readonly entry: TreeEntry;
  /** Where the blob lies once it is whole. Until then `BLOB.incomplete` holds its beginning. */
  readonly blob: string;
  readonly asking: Asking;
  /** Bytes that are there, by a download or by an earlier part: positive, or negative if some were thrown away. */
  readonly onBytes: (bytes: number) => void;
  /** Milliseconds without a byte after which the connection counts as cut. */
  readonly stallLimit?: number;
}

const defaultStallLimit = 30_000;

/** The beginning of a file that an earlier download left, and its hash so far. */
interface Part {
  readonly file: FileHandle;
  bytes: number;
  hash: Hash;
}

/**
 * Downloads the file, unless the blob is there.
 * @throws HubError if the Hub refuses, the connection stays cut, or the bytes are twice not those of the hash; the system's error if they cannot be
 * written. What has come is kept in the part, except bytes of a wrong hash.
 */
export async function downloadBlob(options: DownloadOptions): Promise<void> {
  const { entry, blob, asking, onBytes } = options;
  if (existsSync(blob)) {
    onBytes(entry.size);
    return;
  }
  const path = `${blob}.incomplete`;
  const old = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const part: Part = { file: await open(path, old === 0 ? "w" : "r+"), bytes: 0, hash: newHash(entry) };
  try {
    if (old > entry.size) await restart(part, entry, onBytes);
    else if (old > 0) {
      for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) part.hash.update(chunk as Buffer);
      part.bytes = old;
      onBytes(old);
    }
    for (let wrong = 0; ; wrong++) {
      await fill(part, options);
      const found = part.hash.digest("hex");
      if (found === entry.blob) break;
      await restart(part, entry, onBytes);
      // The part may have been of a different program; fresh bytes have no excuse.
      if (wrong > 0)
        throw new HubError(
          `${entry.path} came with other bytes than the Hub's own hash says: ${found} where ${entry.blob} was promised`,
          "Nothing of it was kept. A proxy may change files, or the Hub's copy is damaged: try again later.",
        );
      asking.onRetry?.(`${entry.path} has a wrong hash; it is downloaded again`);
    }
    await part.file.sync();
  } finally {
    await part.file.close();
    if (part.bytes === 0 && entry.size > 0) rmSync(path, { force: true });
  }
  rename(path, blob);
}

/** Removes a blob whose bytes are not those of its name. Returns whether it did. */
export async function removeIfWrong(blob: string, entry: TreeEntry): Promise<boolean> {
  if (!existsSync(blob)) return false;
  const hash = newHash(entry);
  for await (const chunk of createReadStream(blob, { highWaterMark: 2 ** 20 })) hash.update(chunk as Buffer);
  if (hash.digest("hex") === entry.blob) return false;
  rmSync(blob);
  return true;
}

/** Git's hash of a blob, or SHA-256. */
function newHash({ blob, size }: TreeEntry): Hash {
  return blob.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
}

async function restart(part: Part, entry: TreeEntry, onBytes: (bytes: number) => void): Promise<void> {
  await part.file.truncate(0);
  onBytes(-part.bytes);
  part.bytes = 0;
  part.hash = newHash(entry);
}

/** Requests what is missing until the part has all bytes. */
async function fill(part: Part, options: DownloadOptions): Promise<void> {
  const { entry, asking } = options;
  for (let tries = 0; part.bytes < entry.size; ) {
    const before = part.bytes;
    try {
      await once(part, options);
      if (part.bytes >= entry.size) return;
      throw new Error(`the connection ended after ${part.bytes} of ${entry.size} bytes`);
    } catch (error) {
      asking.signal?.throwIfAborted();
      if (error instanceof BallastError || isOfDisk(error)) throw error;
      tries = part.bytes > before ? 0 : tries + 1;
      const wait = pauseBefore(tries);
      if (wait === null) throw unreachable(error, asking);
      asking.onRetry?.(`${entry.path} was cut: ${messageOf(error)}; it goes on at byte ${part.bytes}`);
      await asking.pause?.(wait, asking.signal);
    }
  }
}

async function once(part: Part, { url, entry, asking, onBytes, stallLimit = defaultStallLimit }: DownloadOptions) {
  const ended = new AbortController();
  const stop = () => ended.abort(asking.signal?.reason);
  // Beside the body's own end: in Node 20 a body that is being read may never settle once its request was aborted.
  const aborted = new Promise<never>((_, reject) => {
    ended.signal.addEventListener("abort", () => reject(ended.signal.reason), { once: true });
  });
  aborted.catch(() => {});
  asking.signal?.addEventListener("abort", stop, { once: true });
  if (asking.signal?.aborted) stop();
  const headers: Record<string, string> = { "accept-encoding": "identity" };
  if (part.bytes > 0) headers.range = `bytes=${part.bytes}-`;
  const answer = await Promise.race([get(url, headers, { ...asking, signal: ended.signal }), aborted]);
  const starts = /^bytes (\d+)-/.exec(answer.headers.get("content-range") ?? "")?.[1];
  const goesOn = answer.status === 206 && Number(starts) === part.bytes;
  // A server that knows no ranges sends everything; one that refuses ours has a different file.
  if (part.bytes > 0 && !goesOn) await restart(part, entry, onBytes);
  if (answer.status === 416) {
    await answer.body?.cancel();
    return;
  }
  let timer = setTimeout(() => {}, 0);
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => ended.abort(new Error(`no byte for ${stallLimit / 1000} s`)), stallLimit);
  };
  const reader = answer.body?.getReader();
  try {
    while (reader !== undefined) {
      wait();
      const { done, value: chunk } = await Promise.race([reader.read(), aborted]);
      if (done) break;
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      if (part.bytes + bytes.length > entry.size) {
        await restart(part, entry, onBytes);
        throw new HubError(
          `${entry.path} came longer than the ${entry.size} bytes that the Hub promised`,
          "Nothing of it was kept. A proxy may change files: try again later.",
        );
      }
      await writeWhole(part, bytes);
      onBytes(bytes.length);
    }
  } finally {
    clearTimeout(timer);
    asking.signal?.removeEventListener("abort", stop);
    reader?.cancel().catch(() => {});
  }
}

/** Counts what has been written even if a full disk takes only some of it. */
async function writeWhole(part: Part, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await part.file.write(bytes, done, bytes.length - done, part.bytes);
    part.hash.update(bytes.subarray(done, done + bytesWritten));
    part.bytes += bytesWritten;
    done += bytesWritten;
    if (bytesWritten === 0) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
  }
}

function isOfDisk(error: unknown): boolean {
  return /^(ENOSPC|EDQUOT|EIO|EFBIG|EROFS|EACCES|EPERM)$/.test(String((error as NodeJS.ErrnoException).code));
}
