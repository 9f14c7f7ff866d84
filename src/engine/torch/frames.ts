/**
 * Frames between Ballast and its PyTorch worker: `<u32 header bytes> <u64 body bytes> <header> <body>`, all little-endian. The header is JSON,
 * `{message, arrays: [[dtype, count], ...]}`: in the message `{"$array": i}` stands for the i-th typed array, whose numbers are in the body, and
 * `{"$number": text}` for a number that JSON lacks. engines/torch/ballast_torch/wire.py is the other side.
 */
import { EngineError } from "../../util/errors.ts";

const prefixBytes = 12;
/** A longer header is not one of ours. */
const mostHeader = 2 ** 28;

type Numbers = Float32Array | Float64Array | Int32Array;

const nameOf = (array: Numbers) =>
  array instanceof Float32Array ? "f32" : array instanceof Float64Array ? "f64" : "i32";
const kinds = { f32: Float32Array, f64: Float64Array, i32: Int32Array } as const;

/** A message's frame, in parts to be written one after the other. */
export function frameParts(message: unknown): Uint8Array[] {
  const arrays: Numbers[] = [];
  const tree = take(message, arrays);
  const header = Buffer.from(
    JSON.stringify({ message: tree, arrays: arrays.map((array) => [nameOf(array), array.length]) }),
  );
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32LE(header.length, 0);
  prefix.writeBigUInt64LE(BigInt(arrays.reduce((total, { byteLength }) => total + byteLength, 0)), 4);
  return [
    prefix,
    header,
    ...arrays.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength)),
  ];
}

function take(tree: unknown, arrays: Numbers[]): unknown {
  if (ArrayBuffer.isView(tree)) return { $array: arrays.push(tree as Numbers) - 1 };
  if (typeof tree === "number" && !Number.isFinite(tree)) return { $number: String(tree) };
  if (Array.isArray(tree)) return tree.map((one) => take(one, arrays));
  if (typeof tree !== "object" || tree === null) return tree;
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, take(value, arrays)]));
}

/** Turns the chunks of a stream into messages. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #bytes = 0;
  #wanted = prefixBytes;

  /** The messages that this chunk completes. Throws EngineError if the stream is not one of frames. */
  push(chunk: Buffer): unknown[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    const messages: unknown[] = [];
    // Chunks are joined only once a whole frame is there: a large body arrives in thousands of them.
    while (this.#bytes >= this.#wanted) {
      const all = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
      this.#chunks = [all];
      const header = all.readUInt32LE(0);
      if (header > mostHeader)
        throw new EngineError(`the PyTorch worker sent something that is not a frame (a header of ${header} bytes)`);
      const end = prefixBytes + header + Number(all.readBigUInt64LE(4));
      if (this.#bytes < end) {
        this.#wanted = end;
        break;
      }
      messages.push(messageOf(all.subarray(prefixBytes, end), header));
      this.#chunks = [all.subarray(end)];
      this.#bytes -= end;
      this.#wanted = prefixBytes;
    }
    return messages;
  }
}

function messageOf(frame: Buffer, header: number): unknown {
  const { message, arrays } = JSON.parse(frame.toString("utf8", 0, header)) as {
    message: unknown;
    arrays: [keyof typeof kinds, number][];
  };
  let at = header;
  const numbers = arrays.map(([kind, count]) => {
    const array = new kinds[kind](count);
    const bytes = new Uint8Array(array.buffer);
    bytes.set(frame.subarray(at, at + bytes.length));
    at += bytes.length;
    return array;
  });
  return place(message, numbers);
}

function place(tree: unknown, arrays: readonly Numbers[]): unknown {
  if (Array.isArray(tree)) return tree.map((one) => place(one, arrays));
  if (typeof tree !== "object" || tree === null) return tree;
  if ("$array" in tree) return arrays[tree.$array as number];
  if ("$number" in tree) return Number(tree.$number);
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, place(value, arrays)]));
}
