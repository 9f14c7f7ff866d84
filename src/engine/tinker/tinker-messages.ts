/**
 * The messages that Tinker's protocol sends as protobuf: the request of a forward or backward pass, its result, and samples. Numbers of fields are those
 * of the package tinker_public in the tinker SDK (0.25 to 0.38); fields that a client need not read are passed over.
 */
import { bytesOf, type FieldValue, listOf, MessageWriter, numberOf, readMessage, textOf } from "./protobuf.ts";

/** A sequence and an array for each of its inputs: position t holds what belongs to the prediction of `targets[t]`. */
export interface Datum {
  readonly tokens: Int32Array;
  readonly targets: Int32Array;
  /** Float32 arrays of the length of `tokens`, by name. */
  readonly inputs: Readonly<Record<string, Float32Array>>;
}

export interface PassRequest {
  readonly model: string;
  readonly sequenceNumber: number;
  readonly lossName: string;
  readonly data: readonly Datum[];
  readonly forwardOnly: boolean;
}

/** The outputs of a pass that are read. Servers add others, of their own types. */
const passOutputs = ["logprobs", "elementwise_loss"] as const;

/** The outputs of a pass, a row for each datum. */
export type PassAnswer = Readonly<Partial<Record<(typeof passOutputs)[number], readonly Float32Array[]>>>;

export interface SampledAnswer {
  readonly stopReason: "stop" | "length";
  readonly tokens: Int32Array;
  /** Absent if the server sent none. */
  readonly logprobs: Float32Array | null;
}

const float32 = 1;
const int64 = 2;
const bfloat16 = 4;

export function encodePass({ model, sequenceNumber, lossName, data, forwardOnly }: PassRequest): Uint8Array {
  const writer = new MessageWriter().bytes(1, model).varint(2, sequenceNumber);
  for (const datum of data) writer.bytes(3, encodeDatum(datum), { always: true });
  return writer.bytes(4, lossName).varint(6, forwardOnly).finish();
}

function encodeDatum({ tokens, targets, inputs }: Datum): MessageWriter {
  const text = new MessageWriter().bytes(1, littleEndian(tokens));
  const writer = new MessageWriter().bytes(1, new MessageWriter().bytes(1, text, { always: true }), { always: true });
  const add = (name: string, dtype: number, array: Float32Array | BigInt64Array) => {
    const shape = new MessageWriter().varint(1, array.length);
    const tensor = new MessageWriter()
      .bytes(1, littleEndian(array), { always: true })
      .varint(3, dtype)
      // Packed: the bytes of the varint without a key.
      .bytes(4, shape.finish().subarray(1));
    writer.bytes(2, new MessageWriter().bytes(1, name).bytes(2, tensor, { always: true }), { always: true });
  };
  add("target_tokens", int64, wholeNumbers(targets));
  for (const [name, row] of Object.entries(inputs)) add(name, float32, row);
  return writer;
}

/** Tokens as 64-bit numbers, by their lower halves: a tenth of the time that BigInts take. */
function wholeNumbers(tokens: Int32Array): BigInt64Array {
  const halves = new Int32Array(2 * tokens.length);
  for (let t = 0; t < tokens.length; t++) halves[2 * t] = tokens[t]!;
  return new BigInt64Array(halves.buffer);
}

/** Throws RangeError for bytes that are not such a message. */
export function decodePass(bytes: Uint8Array): PassAnswer {
  const message = readMessage(bytes);
  const outputs: Partial<Record<(typeof passOutputs)[number], Float32Array[]>> = {};
  for (const record of listOf(message, 2)) {
    for (const entry of listOf(readMessage(record), 2)) {
      const field = readMessage(entry);
      const written = textOf(field, 1);
      const name = passOutputs.find((output) => output === written);
      if (name === undefined) continue;
      outputs[name] ??= [];
      outputs[name].push(...rowsOfBatch(readMessage(bytesOf(field, 2))));
    }
  }
  return outputs;
}

/** The rows of a batched tensor, which are cut at byte offsets. */
function rowsOfBatch(message: ReadonlyMap<number, readonly FieldValue[]>): Float32Array[] {
  const data = bytesOf(message, 1);
  const dtype = numberOf(message, 3);
  const numbers = floatsOf(data, dtype);
  const width = dtype === bfloat16 ? 2 : 4;
  const offsets = Array.from(new BigInt64Array(copyOf(bytesOf(message, 2), 8)), Number);
  return offsets.slice(1).map((end, i) => {
    const start = offsets[i]!;
    if (!(start >= 0 && start <= end && end <= data.length && start % width === 0 && end % width === 0))
      throw new RangeError(`a row of a result reaches from byte ${start} to ${end} of ${data.length}`);
    return numbers.subarray(start / width, end / width);
  });
}

function floatsOf(bytes: Uint8Array, dtype: number): Float32Array {
  if (dtype === bfloat16)
    return new Float32Array(Uint32Array.from(new Uint16Array(copyOf(bytes, 2)), (half) => half * 2 ** 16).buffer);
  if (dtype !== float32) throw new RangeError(`a result has numbers of the type ${dtype}, not float32 or bfloat16`);
  return new Float32Array(copyOf(bytes, 4));
}

/** Throws RangeError for bytes that are not such a message. */
export function decodeSamples(bytes: Uint8Array): SampledAnswer[] {
  return listOf(readMessage(bytes), 1).map((one) => {
    const message = readMessage(one);
    return {
      stopReason: numberOf(message, 1) === 0 ? "stop" : "length",
      tokens: new Int32Array(copyOf(bytesOf(message, 2), 4)),
      logprobs: message.has(3) ? new Float32Array(copyOf(bytesOf(message, 3), 4)) : null,
    };
  });
}

/** The bytes at an address of their own, as arrays of numbers need it. */
function copyOf(bytes: Uint8Array, size: number): ArrayBuffer {
  if (bytes.length % size !== 0)
    throw new RangeError(`${bytes.length} bytes of numbers do not divide into numbers of ${size}`);
  return new Uint8Array(bytes).buffer;
}

/** Every platform that Node runs on is little-endian, which is the order on the wire. */
function littleEndian(array: Int32Array | Float32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
