/**
 * Protobuf's wire format, as far as Tinker's messages need it: fields of varints and bytes (protobuf.dev/programming-guides/encoding). Tests
 * compare it with bytes of Google's own library.
 */

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

const utf8 = new TextEncoder();

/** Writes the fields of one message, in the order of the calls. A field with its default value (0, empty) is left out, as proto3 does. */
export class MessageWriter {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** A whole number from 0 to 2^53, or a boolean. */
  varint(field: number, value: number | boolean): this {
    if (Number(value) === 0) return this;
    return this.#add(varintBytes(field * 8 + VARINT), varintBytes(Number(value)));
  }

  /** Bytes, text, or a message. A message in a list or a map is written even if it is empty; so are bytes there. */
  bytes(field: number, value: Uint8Array | string | MessageWriter, { always = false } = {}): this {
    // A message's parts are copied once, by the outermost.
    const parts =
      value instanceof MessageWriter ? value.#parts : [typeof value === "string" ? utf8.encode(value) : value];
    const length = value instanceof MessageWriter ? value.#length : parts[0]!.length;
    if (length === 0 && !always) return this;
    return this.#add(varintBytes(field * 8 + BYTES), varintBytes(length), ...parts);
  }

  finish(): Uint8Array {
    const whole = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  #add(...parts: readonly Uint8Array[]): this {
    for (const part of parts) {
      this.#parts.push(part);
      this.#length += part.length;
    }
    return this;
  }
}

function varintBytes(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

export type FieldValue = number | Uint8Array;

/** The fields of a message, each with its values in order: numbers, or bytes. Throws RangeError for bytes that are no message. */
export function readMessage(bytes: Uint8Array): ReadonlyMap<number, readonly FieldValue[]> {
  const fields = new Map<number, FieldValue[]>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++];
      if (byte === undefined || factor > 2 ** 63) throw new RangeError("a number of a protobuf message does not end");
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  const skip = (length: number) => {
    if (at + length > bytes.length) throw new RangeError("a protobuf message ends in the middle of a field");
    at += length;
    return at - length;
  };
  while (at < bytes.length) {
    const key = varint();
    const field = Math.floor(key / 8);
    const type = key % 8;
    let value: FieldValue;
    if (type === VARINT) value = varint();
    else if (type === FIXED64) value = view.getFloat64(skip(8), true);
    else if (type === FIXED32) value = view.getFloat32(skip(4), true);
    else if (type === BYTES) {
      const length = varint();
      const from = skip(length);
      value = bytes.subarray(from, from + length);
    } else throw new RangeError(`a protobuf message has a field of type ${type}, which proto3 does not write`);
    const known = fields.get(field);
    if (known) known.push(value);
    else fields.set(field, [value]);
  }
  return fields;
}

/** The bytes of a field; empty if it is absent. */
export function bytesOf(message: ReadonlyMap<number, readonly FieldValue[]>, field: number): Uint8Array {
  const value = message.get(field)?.at(-1);
  return value instanceof Uint8Array ? value : new Uint8Array();
}

/** Each value of a repeated field of messages or bytes. */
export function listOf(message: ReadonlyMap<number, readonly FieldValue[]>, field: number): Uint8Array[] {
  return (message.get(field) ?? []).filter((value) => value instanceof Uint8Array);
}

export function numberOf(message: ReadonlyMap<number, readonly FieldValue[]>, field: number): number {
  const value = message.get(field)?.at(-1);
  return typeof value === "number" ? value : 0;
}

export function textOf(message: ReadonlyMap<number, readonly FieldValue[]>, field: number): string {
  return new TextDecoder().decode(bytesOf(message, field));
}
