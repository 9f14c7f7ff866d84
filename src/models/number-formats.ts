/** The formats of numbers in weight files, and their conversion from and to float32. */
import { CheckpointError } from "../util/errors.ts";

/** The formats that Ballast writes, by the names of `--dtype` and of safetensors. */
export const writtenFormats = { fp32: "F32", bf16: "BF16", fp16: "F16" } as const;

export type DtypeName = keyof typeof writtenFormats;
export type WrittenFormat = (typeof writtenFormats)[keyof typeof writtenFormats];

/** Formats of safetensors that are read as float32. */
export type NumberFormat = WrittenFormat | "F64";

/** Bytes of one number. */
export const bytesPer: Readonly<Record<NumberFormat, number>> = { F32: 4, F16: 2, BF16: 2, F64: 8 };

/** The format's name in `config.json`, which is PyTorch's. */
export const torchNames: Readonly<Record<WrittenFormat, string>> = { F32: "float32", BF16: "bfloat16", F16: "float16" };

export function isReadable(dtype: string): dtype is NumberFormat {
  return Object.hasOwn(bytesPer, dtype);
}

/** Converts little-endian numbers to float32: `into` receives as many as it holds. `bytes` is aligned to the format's width. */
export function decode(bytes: Uint8Array, format: NumberFormat, into: Float32Array): void {
  const { buffer, byteOffset } = bytes;
  if (format === "F32") into.set(new Float32Array(buffer, byteOffset, into.length));
  else if (format === "F64") into.set(new Float64Array(buffer, byteOffset, into.length));
  else {
    const halves = new Uint16Array(buffer, byteOffset, into.length);
    const words = new Uint32Array(into.buffer, into.byteOffset, into.length);
    if (format === "BF16") for (let i = 0; i < words.length; i++) words[i] = (halves[i] as number) << 16;
    else for (let i = 0; i < words.length; i++) into[i] = halfToNumber(halves[i] as number);
  }
}

function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * Rounds float32 numbers to the nearest half-precision ones, ties to the even, as PyTorch does.
 * @param name the tensor, for errors
 * @throws CheckpointError if a finite number is beyond the format
 */
export function toHalves(data: Float32Array, format: "BF16" | "F16", name: string): Uint16Array {
  const words = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const round = format === "BF16" ? roundToBf16 : roundToFp16;
  const infinity = format === "BF16" ? 0x7f80 : 0x7c00;
  const halves = new Uint16Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const half = round(words[i] as number);
    if ((half & 0x7fff) === infinity && Number.isFinite(data[i]))
      throw new CheckpointError(
        `${name} holds ${data[i]}, which is beyond ${format === "BF16" ? "bf16 (3.39e38)" : "fp16 (65504)"}`,
        "Write it as fp32, or as bf16 unless it is beyond that, too.",
      );
    halves[i] = half;
  }
  return halves;
}

/** The upper half of the word, rounded: half of the last place is added, less one if the result would be odd after a tie. */
function roundToBf16(word: number): number {
  // NaN stays NaN: rounding could carry its fraction over into the exponent.
  if ((word & 0x7fffffff) > 0x7f800000) return (word >>> 16) | 0x40;
  return ((word + 0x7fff + ((word >>> 16) & 1)) >>> 16) & 0xffff;
}

function roundToFp16(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // 65520, half a place above the largest number, rounds to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // Below 2^-14 a half has a fixed place of 2^-24.
  const shift = magnitude < 0x38800000 ? 126 - (magnitude >>> 23) : 13;
  if (shift > 24) return sign;
  const exponent = shift === 13 ? (magnitude >>> 23) - 112 : 0;
  const fraction = (magnitude & 0x7fffff) | (shift === 13 ? 0 : 0x800000);
  const kept = (exponent << 10) + (fraction >>> shift);
  const rest = fraction & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  // A carry out of the fraction is the next exponent.
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0));
}
