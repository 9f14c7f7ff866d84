/** Hugging Face's safetensors files: an 8-byte length, a JSON header, then the numbers. */
import { closeSync, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { writeDurably } from "../util/durable.ts";
import { CheckpointError, messageOf } from "../util/errors.ts";
import { bytesPer, decode, isReadable, type NumberFormat, toHalves, type WrittenFormat } from "./number-formats.ts";

export interface NamedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Tensors whose numbers are read on demand. */
export interface TensorSource {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /**
   * Writes a tensor's numbers into an array of its size, or those from `from` on into a shorter one. Throws a CheckpointError, for a tensor that is
   * not in `shapes`, too.
   */
  read(name: string, into: Float32Array, from?: number): void;
}

/** A file whose header was read and checked. It holds nothing open: a read opens the file, and refuses one that has changed since. */
export interface SafetensorsFile extends TensorSource {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Throws a CheckpointError if the tensor's numbers are of a format that is not read, or are not as many as its shape says. */
  check(name: string): void;
}

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** Largest header in bytes: enough for 100,000 tensors, while models here have a few thousand; parsed, a header takes ten times its size. */
const maxHeader = 16 * 2 ** 20;
/** Numbers that are converted or written at a time. */
const chunk = 2 ** 18;

export interface WriteOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  /** The numbers' format; float32 by default. */
  readonly format?: WrittenFormat;
}

/**
 * Writes tensors and flushes them to disk. A tensor's `data` is asked for once, when its turn comes. Throws the system's error, for example on a full
 * disk, and a CheckpointError if a number is beyond the format.
 */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, NamedTensor>,
  { metadata = {}, format = "F32" }: WriteOptions = {},
): void {
  const header: Record<string, HeaderEntry | Record<string, string>> = { __metadata__: { format: "pt", ...metadata } };
  let offset = 0;
  for (const [name, { shape }] of tensors) {
    const end = offset + sizeOf(shape) * bytesPer[format];
    header[name] = { dtype: format, shape, data_offsets: [offset, end] };
    offset = end;
  }
  // Padded with spaces to align the numbers, like the format's own writer.
  const json = JSON.stringify(header);
  const bytes = new TextEncoder().encode(json);
  const text = new Uint8Array(Math.ceil(bytes.length / 8) * 8).fill(0x20);
  text.set(bytes);
  const length = new Uint8Array(BigUint64Array.of(BigInt(text.length)).buffer);
  writeDurably(path, pieces([length, text], tensors, format));
}

/** Numbers in a tensor of this shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

function* pieces(
  head: readonly Uint8Array[],
  tensors: ReadonlyMap<string, NamedTensor>,
  format: WrittenFormat,
): Generator<Uint8Array> {
  yield* head;
  for (const [name, tensor] of tensors) {
    const { data } = tensor;
    for (let at = 0; at < data.length; at += chunk) {
      const some = data.subarray(at, at + chunk);
      const numbers = format === "F32" ? some : toHalves(some, format, name);
      yield new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
    }
  }
}

export interface ReadOptions {
  /** Which tensors to read, by name; all by default. */
  readonly wanted?: (name: string) => boolean;
}

/** Reads tensors as float32. Throws a CheckpointError if the file is missing, truncated or not of this format. */
export function readSafetensors(
  path: string,
  { wanted = () => true }: ReadOptions = {},
): { tensors: Map<string, NamedTensor>; metadata: Readonly<Record<string, string>> } {
  const file = openSafetensors(path);
  const tensors = new Map<string, NamedTensor>();
  for (const [name, shape] of file.shapes) {
    if (!wanted(name)) continue;
    file.check(name);
    const data = new Float32Array(sizeOf(shape));
    file.read(name, data);
    tensors.set(name, { shape, data });
  }
  return { tensors, metadata: file.metadata };
}

/** Reads and checks a file's header. Throws as `readSafetensors` does. */
export function openSafetensors(path: string): SafetensorsFile {
  const { entries, start, metadata, status } = withFile(path, (file, status) => readHeader(path, file, status));
  const formatOf = (name: string): { format: NumberFormat; at: number; count: number } => {
    const entry = entries.get(name);
    if (entry === undefined) throw new CheckpointError(`${path} has no tensor ${name}`);
    return { ...checkNumbers(path, name, entry), at: start + entry.data_offsets[0] };
  };
  return {
    path,
    metadata,
    shapes: new Map([...entries].map(([name, { shape }]) => [name, shape])),
    check: (name) => void formatOf(name),
    read(name, into, from) {
      const { format, at, count } = formatOf(name);
      if (from === undefined ? into.length !== count : from + into.length > count)
        throw new CheckpointError(`${path}: ${name} has ${count} numbers, and ${into.length} are wanted`);
      const position = at + (from ?? 0) * bytesPer[format];
      withFile(path, (file, now) => {
        if (now.size !== status.size || now.mtimeMs !== status.mtimeMs || now.ino !== status.ino)
          throw new CheckpointError(`${path} changed while it was read`, "Try again once nothing writes to it.");
        readNumbers(path, file, { format, position, into });
      });
    },
  };
}

/** Reads in bounded pieces: beside the destination only one piece is in memory. */
function readNumbers(
  path: string,
  file: number,
  { format, position, into }: { readonly format: NumberFormat; readonly position: number; readonly into: Float32Array },
): void {
  const width = bytesPer[format];
  const buffer = new Uint8Array(format === "F32" ? 0 : Math.min(chunk, into.length) * width);
  for (let at = 0; at < into.length; at += chunk) {
    const part = into.subarray(at, at + chunk);
    const bytes =
      format === "F32"
        ? new Uint8Array(part.buffer, part.byteOffset, part.byteLength)
        : buffer.subarray(0, part.length * width);
    readAt(path, file, { position: position + at * width, into: bytes });
    if (format !== "F32") decode(bytes, format, part);
  }
}

/** Opens a file for the time of a call. */
function withFile<T>(path: string, read: (file: number, status: Stats) => T): T {
  let file: number;
  try {
    // Opening a named pipe would wait for a writer.
    if (!statSync(path).isFile()) throw new Error("it is not a file");
    file = openSync(path, "r");
  } catch (error) {
    throw new CheckpointError(`cannot read ${path}: ${messageOf(error)}`, undefined, { cause: error });
  }
  try {
    return read(file, fstatSync(file));
  } finally {
    closeSync(file);
  }
}

interface Header {
  readonly entries: ReadonlyMap<string, HeaderEntry>;
  /** Offset of the first number. */
  readonly start: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly status: Stats;
}

function readHeader(path: string, file: number, status: Stats): Header {
  const { size } = status;
  const bytes = (position: number, length: number) => readAt(path, file, { position, into: new Uint8Array(length) });
  const headerLength = size < 8 ? 0 : Number(new DataView(bytes(0, 8).buffer).getBigUint64(0, true));
  if (headerLength <= 0 || headerLength > size - 8) {
    throw damaged(path, `its header of ${headerLength} bytes does not fit into ${size}`);
  }
  if (headerLength > maxHeader) throw damaged(path, `its header of ${headerLength} bytes is above ${maxHeader}`);
  const { __metadata__: metadata, ...entries } = parseHeader(path, bytes(8, headerLength));
  const start = 8 + headerLength;
  const checked = checkEntries(path, entries, size - start);
  return { entries: checked, start, metadata: { ...(metadata as Record<string, string> | undefined) }, status };
}

function parseHeader(path: string, bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw damaged(path, `its header is not JSON (${messageOf(error)})`);
  }
  if (typeof header === "object" && header !== null && !Array.isArray(header)) return header as Record<string, unknown>;
  throw damaged(path, "its header is not a JSON object");
}

/**
 * Every byte belongs to exactly one tensor, as the format demands: a small file could otherwise exhaust the memory by naming the same bytes
 * repeatedly, and a file with more bytes than its header names is not the one that was written.
 */
function checkEntries(path: string, entries: Record<string, unknown>, size: number): Map<string, HeaderEntry> {
  const checked = new Map<string, HeaderEntry>();
  for (const [name, entry] of Object.entries(entries)) {
    if (!isEntry(entry)) throw damaged(path, `its entry for ${name} is ${JSON.stringify(entry)?.slice(0, 200)}`);
    checked.set(name, entry);
  }
  let end = 0;
  let last = "";
  for (const [name, { shape, data_offsets }] of [...checked].sort(([, a], [, b]) => compare(a, b))) {
    const [from, to] = data_offsets;
    if (to < from || to > size)
      throw damaged(path, `${name} of shape [${shape}] needs bytes ${from} to ${to} of ${size}`);
    if (from !== end) throw damaged(path, `${name} begins at byte ${from}, and ${last || "the header"} ends at ${end}`);
    [end, last] = [to, name];
  }
  if (end !== size) throw damaged(path, `its tensors end at byte ${end} of ${size}`);
  return checked;
}

function compare({ data_offsets: a }: HeaderEntry, { data_offsets: b }: HeaderEntry): number {
  return a[0] - b[0] || a[1] - b[1];
}

function isEntry(entry: unknown): entry is HeaderEntry {
  const { dtype, shape, data_offsets: offsets } = { ...(entry as Partial<HeaderEntry> | null) };
  const sizes = (list: unknown) => Array.isArray(list) && list.every((n) => Number.isSafeInteger(n) && n >= 0);
  return typeof dtype === "string" && sizes(shape) && sizes(offsets) && offsets?.length === 2;
}

/** A tensor's format and count, if its format is read and its bytes are as many as its shape says. */
function checkNumbers(path: string, name: string, entry: HeaderEntry): { format: NumberFormat; count: number } {
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isReadable(dtype))
    throw new CheckpointError(
      `${path}: ${name} has type ${dtype}; F32, F16, BF16 and F64 are read`,
      "Give the model in one of these formats: weights that were quantised cannot be trained.",
    );
  const count = sizeOf(shape);
  const [from, to] = offsets;
  if (to - from !== count * bytesPer[dtype])
    throw damaged(
      path,
      `${name} of shape [${shape}] needs ${count * bytesPer[dtype]} bytes, and has those from ${from} to ${to}`,
    );
  return { format: dtype, count };
}

function damaged(path: string, why: string): CheckpointError {
  return new CheckpointError(
    `${path} is truncated or damaged: ${why}`,
    "Use an earlier checkpoint, or copy the file again.",
  );
}

function readAt(
  path: string,
  file: number,
  { position, into }: { readonly position: number; readonly into: Uint8Array },
): Uint8Array {
  const length = into.length;
  let done = 0;
  while (done < length) {
    const read = readSync(file, into, done, length - done, position + done);
    if (read === 0) throw damaged(path, `it ends at byte ${position + done}, and ${position + length} are needed`);
    done += read;
  }
  return into;
}
