/** Encodes values that SQLite or JSON would lose (NaN, infinities, NUL characters, lone surrogates). */

/** Values of the flag column beside a number. SQLite turns NaN into NULL, so the number's column holds NULL unless the flag is `finite`. */
export const flags = { finite: 0, nan: 1, positiveInfinity: 2, negativeInfinity: 3 } as const;

export function flagOf(value: number): number {
  if (Number.isFinite(value)) return flags.finite;
  if (Number.isNaN(value)) return flags.nan;
  return value > 0 ? flags.positiveInfinity : flags.negativeInfinity;
}

/** The number as its column holds it: NULL if it is not finite. */
export function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** The number that a value column and its flag column stand for. */
export function numberOf(value: number | null, flag: number): number {
  switch (flag) {
    case flags.nan:
      return Number.NaN;
    case flags.positiveInfinity:
      return Number.POSITIVE_INFINITY;
    case flags.negativeInfinity:
      return Number.NEGATIVE_INFINITY;
    default:
      return value === null ? Number.NaN : value;
  }
}

const special = "$number";

/** JSON in which NaN, the infinities and -0 are written as `{"$number": "NaN"}`; an object that has this key itself is wrapped in one that does. */
export function encodeJson(value: unknown): string {
  return JSON.stringify(escapeNumbers(value));
}

export function decodeJson(text: string): unknown {
  return unescapeNumbers(JSON.parse(text));
}

function escapeNumbers(value: unknown): unknown {
  if (typeof value === "number") {
    if (Object.is(value, -0)) return { [special]: "-0" };
    return Number.isFinite(value) ? value : { [special]: String(value) };
  }
  if (Array.isArray(value)) return value.map(escapeNumbers);
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>, escapeNumbers);
  if (value === null || typeof value !== "object" || value instanceof Date) return value;
  const escaped = mapValues(value, escapeNumbers);
  return Object.hasOwn(value, special) ? { [special]: escaped } : escaped;
}

function unescapeNumbers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unescapeNumbers);
  if (value === null || typeof value !== "object") return value;
  if (!Object.hasOwn(value, special)) return mapValues(value, unescapeNumbers);
  const inner = (value as Record<string, unknown>)[special];
  return typeof inner === "string" ? Number(inner) : mapValues(inner as object, unescapeNumbers);
}

/** Maps values; `Object.fromEntries` defines properties, so that a key such as `__proto__` stays data. */
function mapValues(value: object, change: (value: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, change(entry)]));
}

/**
 * Text as its column holds it: text, unless it contains a NUL character (at which SQLite's text ends) or a lone surrogate (which UTF-8 cannot hold);
 * then a blob with the text as a JSON string.
 */
export function encodeText(text: string): string | Uint8Array {
  const plain = !text.includes("\0") && !/\p{Surrogate}/u.test(text);
  return plain ? text : Buffer.from(JSON.stringify(text));
}

export function decodeText(stored: string | Uint8Array | ArrayBuffer): string {
  return typeof stored === "string" ? stored : (JSON.parse(bufferOf(stored).toString("utf8")) as string);
}

/** A text that may be absent, as its column holds it. */
export function textOrNull(text: string | undefined): string | Uint8Array | null {
  return text === undefined ? null : encodeText(text);
}

export function textIn(stored: string | Uint8Array | ArrayBuffer | null): string | null {
  return stored === null ? null : decodeText(stored);
}

/** Numbers as little-endian float32, 4 bytes each. */
export function encodeFloats(values: readonly number[]): Uint8Array {
  const buffer = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) buffer.writeFloatLE(value, index * 4);
  return buffer;
}

export function decodeFloats(stored: Uint8Array | ArrayBuffer): number[] {
  const buffer = bufferOf(stored);
  return Array.from({ length: buffer.length / 4 }, (_, index) => buffer.readFloatLE(index * 4));
}

/** Numbers as little-endian float64, 8 bytes each. */
export function encodeDoubles(values: readonly number[]): Uint8Array {
  const buffer = Buffer.alloc(values.length * 8);
  for (let i = 0; i < values.length; i++) buffer.writeDoubleLE(values[i]!, i * 8);
  return buffer;
}

export function decodeDoubles(stored: Uint8Array | ArrayBuffer): number[] {
  const buffer = bufferOf(stored);
  const values: number[] = [];
  for (let offset = 0; offset < buffer.length; offset += 8) values.push(buffer.readDoubleLE(offset));
  return values;
}

/** The driver returns a Buffer or an ArrayBuffer, depending on how a statement is read. */
function bufferOf(stored: Uint8Array | ArrayBuffer): Buffer {
  return stored instanceof ArrayBuffer
    ? Buffer.from(stored)
    : Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
}
