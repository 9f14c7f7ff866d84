/** Hugging Face's safetensors files: an 8-byte length, a JSON header, then the numbers. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { writeDurably } from "../util/durable.ts";
import { CheckpointError, messageOf } from "../util/errors.ts";

export interface NamedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

const bytesPer: Record<string, number> = { F32: 4, F16: 2, BF16: 2, F64: 8 };
/** Largest header in bytes: enough for 100,000 tensors, while models here have a few thousand; parsed, a header takes ten times its size. */
const maxHeader = 16 * 2 ** 20;

/** Writes float32 tensors and flushes them to disk. Throws the system's error, for example on a full disk. */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, NamedTensor>,
  metadata: Record<string, string> = {},
): void {
  const header: Record<string, HeaderEntry | Record<string, string>> = { __metadata__: { format: "pt", ...metadata } };
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  // Padded with spaces to align the numbers, like the format's own writer.
  const json = JSON.stringify(header);
  const bytes = new TextEncoder().encode(json);
  const text = new Uint8Array(Math.ceil(bytes.length / 8) * 8).fill(0x20);
  text.set(bytes);
  const length = new Uint8Array(BigUint64Array.of(BigInt(text.length)).buffer);
  const numbers = [...tensors.values()].map(
    ({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  );
  writeDurably(path, [length, text, ...numbers]);
}

export interface ReadOptions {
  /** Which tensors to read, by name; all by default. */
  readonly wanted?: (name: string) => boolean;
}

/** Reads tensors as float32. Throws a CheckpointError if the file is missing, truncated or not of this format. */
export function readSafetensors(
  path: string,
  { wanted = () => true }: ReadOptions = {},
): { tensors: Map<string, NamedTensor>; metadata: Record<string, string> } {
  return withHeader(path, ({ file, entries, start, metadata }) => {
    const tensors = new Map<string, NamedTensor>();
    for (const [name, entry] of entries)
      if (wanted(name)) tensors.set(name, readTensor(path, file, name, entry, start));
    return { tensors, metadata };
  });
}

/** The shapes of a file's tensors, without reading their numbers. Throws as `readSafetensors` does. */
export function readShapes(path: string): Map<string, readonly number[]> {
  return withHeader(path, ({ entries }) => new Map([...entries].map(([name, { shape }]) => [name, shape])));
}

interface Opened {
  readonly file: number;
  readonly entries: ReadonlyMap<string, HeaderEntry>;
  /** Offset of the first number. */
  readonly start: number;
  readonly metadata: Record<string, string>;
}

function withHeader<T>(path: string, read: (opened: Opened) => T): T {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    throw new CheckpointError(`cannot read ${path}: ${messageOf(error)}`, undefined, { cause: error });
  }
  try {
    const status = fstatSync(file);
    if (!status.isFile()) throw new CheckpointError(`cannot read ${path}: it is not a file`);
    const { size } = status;
    const headerLength = size < 8 ? 0 : Number(new DataView(readAt(path, file, 0, 8).buffer).getBigUint64(0, true));
    if (headerLength <= 0 || headerLength > size - 8) {
      throw damaged(path, `its header of ${headerLength} bytes does not fit into ${size}`);
    }
    if (headerLength > maxHeader) throw damaged(path, `its header of ${headerLength} bytes is above ${maxHeader}`);
    const { __metadata__: metadata, ...entries } = parseHeader(path, readAt(path, file, 8, headerLength));
    const start = 8 + headerLength;
    const checked = checkEntries(path, entries, size - start);
    return read({ file, entries: checked, start, metadata: { ...(metadata as Record<string, string> | undefined) } });
  } finally {
    closeSync(file);
  }
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

function readTensor(path: string, file: number, name: string, entry: HeaderEntry, start: number): NamedTensor {
  const { dtype, shape, data_offsets: offsets } = entry;
  const width = bytesPer[dtype];
  if (width === undefined)
    throw new CheckpointError(`${path}: ${name} has type ${dtype}; F32, F16, BF16 and F64 are read`);
  const count = shape.reduce((a, b) => a * b, 1);
  const [from, to] = offsets;
  if (to - from !== count * width)
    throw damaged(
      path,
      `${name} of shape [${shape}] needs ${count * width} bytes, and has those from ${from} to ${to}`,
    );
  return { shape, data: toFloat32(readAt(path, file, start + from, to - from), dtype, count) };
}

function toFloat32(bytes: Uint8Array, dtype: string, count: number): Float32Array {
  if (dtype === "F32") return new Float32Array(bytes.buffer, bytes.byteOffset, count);
  if (dtype === "F64") return Float32Array.from(new Float64Array(bytes.buffer, bytes.byteOffset, count));
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, count);
  if (dtype === "BF16") {
    const words = new Uint32Array(count);
    for (let i = 0; i < count; i++) words[i] = (halves[i] as number) << 16;
    return new Float32Array(words.buffer);
  }
  return Float32Array.from(halves, halfToNumber);
}

function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function damaged(path: string, why: string): CheckpointError {
  return new CheckpointError(
    `${path} is truncated or damaged: ${why}`,
    "Use an earlier checkpoint, or copy the file again.",
  );
}

function readAt(path: string, file: number, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const read = readSync(file, bytes, done, length - done, position + done);
    if (read === 0) throw damaged(path, `it ends at byte ${position + done}, and ${position + length} are needed`);
    done += read;
  }
  return bytes;
}
