/** A fingerprint of the rows of one or several files in a few hashes: enough to say later whether they are the same, and what changed. */
import { createHash } from "node:crypto";
import { filesOf, type Paths, pathsText } from "./data-files.ts";
import { rowsOfFiles } from "./read-file.ts";
import type { RowPlace } from "./row-types.ts";

export interface RowsFingerprint {
  readonly rows: number;
  /** SHA-256 of all rows, of all files in order. Blank lines, line ends and space around a row do not count. */
  readonly sha256: string;
  /** Shortened hashes of stretches of rows, all equally long except the last. */
  readonly parts: readonly string[];
}

/** Most stretches to hash. They locate a change exactly to the row in a small file, to the percent in a large one. */
const mostParts = 256;

export interface FingerprintSource {
  readonly path: Paths;
  /** Only the first rows; 0 means all. */
  readonly limit: number;
}

/** Hashes the rows. Throws DataError if a file cannot be read. */
export function fingerprintRows(source: FingerprintSource): RowsFingerprint {
  return fingerprintOf(digestsOf(source).map(({ digest }) => digest));
}

/**
 * Describes how the rows have changed; null if they have not. `appended` means that the old rows are all there, in order, followed by new
 * ones. Throws DataError if a file cannot be read.
 */
export function changeOfRows(
  before: RowsFingerprint,
  source: FingerprintSource,
): { readonly says: string; readonly appended: boolean } | null {
  const now = digestsOf(source);
  const path = pathsText(source.path);
  const single = filesOf(source.path).length === 1;
  const lineOf = ({ place }: RowDigest) => (single ? `line ${place.line}` : `${place.path}:${place.line}`);
  const digests = now.map(({ digest }) => digest);
  if (fingerprintOf(digests).sha256 === before.sha256) return null;
  const more = now.length - before.rows;
  if (more > 0 && fingerprintOf(digests.slice(0, before.rows)).sha256 === before.sha256) {
    const says = `${path} has ${now.length} rows: ${more} appended, from ${lineOf(now[before.rows]!)} on, to the ${before.rows} that the run began with`;
    return { says, appended: true };
  }
  const length = partLength(before.rows);
  const first = before.parts.findIndex((part, i) => part !== hashOf(digests.slice(i * length, (i + 1) * length)));
  // A missing end does not count as a changed row.
  const from = Math.min(Math.max(first, 0) * length, now.length);
  const to = Math.min(from + length, before.rows);
  const counts =
    more === 0 ? `${path} has different rows` : `${path} has ${now.length} rows, and the run began with ${before.rows}`;
  const where =
    from >= now.length
      ? `the last ${-more} are gone`
      : `the first change is ${length === 1 ? `in ${lineOf(now[from]!)}` : `between its rows ${from + 1} and ${to}`}`;
  return { says: `${counts}: ${where}`, appended: false };
}

interface RowDigest {
  readonly place: RowPlace;
  readonly digest: Buffer;
}

function digestsOf({ path, limit }: FingerprintSource): RowDigest[] {
  return Array.from(rowsOfFiles(path, limit), (row) => ({
    place: row.place,
    digest: createHash("sha256").update(row.bytes().toString("latin1").trim(), "latin1").digest(),
  }));
}

function fingerprintOf(digests: readonly Buffer[]): RowsFingerprint {
  const length = partLength(digests.length);
  const parts = Array.from({ length: Math.ceil(digests.length / length) }, (_, i) =>
    hashOf(digests.slice(i * length, (i + 1) * length)),
  );
  return { rows: digests.length, sha256: createHash("sha256").update(Buffer.concat(digests)).digest("hex"), parts };
}

function partLength(rows: number): number {
  return Math.max(1, Math.ceil(rows / mostParts));
}

function hashOf(digests: readonly Buffer[]): string {
  return createHash("sha256").update(Buffer.concat(digests)).digest("hex").slice(0, 16);
}
