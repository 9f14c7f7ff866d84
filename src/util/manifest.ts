/** Manifests: what files contained when they were written, and whether they still do. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fromJson } from "./json-values.ts";

/** The manifest's file name in its folder. */
export const manifestFile = "manifest.json";

export interface FileRecord {
  readonly bytes: number;
  readonly sha256: string;
}

/** File records by path relative to the folder, with `/` on every platform. */
export type FileRecords = Readonly<Record<string, FileRecord>>;

/**
 * The files that a folder's manifest names; null if the folder has no manifest, or one that Ballast did not write. Throws SyntaxError if
 * the text is not JSON.
 */
export function readManifest(folder: string): FileRecords | null {
  const path = join(folder, manifestFile);
  if (!existsSync(path)) return null;
  const files = (fromJson(readFileSync(path, "utf8")) as { files?: unknown } | null)?.files;
  if (typeof files !== "object" || files === null || !Object.values(files).every(isRecord)) return null;
  return files as FileRecords;
}

/** The head of the run's hash chain when the folder was written; null if its manifest has none. */
export function headIn(folder: string): string | null {
  const path = join(folder, manifestFile);
  if (!existsSync(path)) return null;
  const { head } = { ...(fromJson(readFileSync(path, "utf8")) as { head?: unknown } | null) };
  return typeof head === "string" ? head : null;
}

function isRecord(value: unknown): value is FileRecord {
  const { bytes, sha256 } = { ...(value as Partial<FileRecord> | null) };
  return typeof bytes === "number" && typeof sha256 === "string";
}

export async function recordOf(path: string): Promise<FileRecord> {
  return { bytes: (await stat(path)).size, sha256: await sha256Of(path) };
}

/** Describes the first file that differs from what was written; null if none does. */
export async function firstDifference(folder: string, files: FileRecords): Promise<string | null> {
  for (const [name, { bytes, sha256 }] of Object.entries(files)) {
    const path = join(folder, name);
    if (!existsSync(path)) return `${name} is missing`;
    const { size } = await stat(path);
    if (size !== bytes) return `${name} has ${size} bytes where ${bytes} were written`;
    if ((await sha256Of(path)) !== sha256) return `${name} has other contents than were written`;
  }
  return null;
}

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
