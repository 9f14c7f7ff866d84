/** Safetensors: round trips, half precisions, and files that are cut off or damaged. */
import { closeSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../../test/support/gpt2.ts";
import fc from "../../test/support/property.ts";
import { CheckpointError } from "../util/errors.ts";
import { type NamedTensor, readSafetensors, writeSafetensors } from "./safetensors.ts";

const folder = temporaryFolder();
const path = join(folder, "model.safetensors");
const bits = (data: Float32Array) =>
  new Uint32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));

/** A file as a different program would write it. */
function writeRaw(header: unknown, data: Uint8Array = new Uint8Array(0), headerLength?: number): void {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const length = new Uint8Array(BigUint64Array.of(BigInt(headerLength ?? json.length)).buffer);
  writeFileSync(path, Buffer.concat([length, json, data]));
}

function writeHalves(dtype: string, halves: readonly number[]): void {
  const data = new Uint8Array(Uint16Array.from(halves).buffer);
  writeRaw({ x: { dtype, shape: [halves.length], data_offsets: [0, data.length] } }, data);
}

describe("round trip", () => {
  test("keeps every bit, shapes, names and metadata", () => {
    const special = Float32Array.of(1.5, -0, Number.NaN, Infinity, -Infinity, 1e-45, 3.4e38);
    const tensors = new Map<string, NamedTensor>([
      ["größe.weight", { shape: [7], data: special }],
      // A view into a larger array, as the engine's parameters are.
      ["view", { shape: [2, 2], data: Float32Array.from({ length: 9 }, (_, i) => i).subarray(3, 7) }],
      ["scalar", { shape: [], data: Float32Array.of(42) }],
      ["empty", { shape: [0, 3], data: new Float32Array(0) }],
    ]);
    writeSafetensors(path, tensors, { metadata: { step: "12" } });
    const read = readSafetensors(path);
    expect([...read.tensors.keys()]).toEqual([...tensors.keys()]);
    for (const [name, { shape, data }] of tensors) {
      expect(read.tensors.get(name)!.shape).toEqual(shape);
      expect(bits(read.tensors.get(name)!.data)).toEqual(bits(data));
    }
    expect(read.metadata).toEqual({ format: "pt", step: "12" });
  });

  test("aligns the numbers to 8 bytes", () => {
    for (const name of ["a", "ab", "abc", "abcdefghi"]) {
      writeSafetensors(path, new Map([[name, { shape: [1], data: Float32Array.of(1) }]]));
      expect(Number(readFileSync(path).readBigUInt64LE(0)) % 8).toBe(0);
    }
  });
});

describe("other precisions", () => {
  test("F16", () => {
    // 1, -2, 65504, the smallest subnormal, the smallest normal, 1/3, -0, infinities
    writeHalves("F16", [0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x3555, 0x8000, 0x7c00, 0xfc00, 0x7e00]);
    const values = [...readSafetensors(path).tensors.get("x")!.data];
    expect(values.slice(0, 5)).toEqual([1, -2, 65504, 2 ** -24, 2 ** -14]);
    expect(values[5]).toBeCloseTo(1 / 3, 3);
    expect(values.slice(6)).toEqual([-0, Infinity, -Infinity, Number.NaN]);
  });

  test("BF16 is the upper half of a float32", () => {
    writeHalves("BF16", [0x3f80, 0xc000, 0x4049, 0x8000, 0x7f80, 0x7fc0]);
    expect([...readSafetensors(path).tensors.get("x")!.data]).toEqual([1, -2, 3.140625, -0, Infinity, Number.NaN]);
  });

  test("F64", () => {
    const data = new Uint8Array(Float64Array.of(0.1, -1e300).buffer);
    writeRaw({ x: { dtype: "F64", shape: [2], data_offsets: [0, 16] } }, data);
    expect([...readSafetensors(path).tensors.get("x")!.data]).toEqual([Math.fround(0.1), -Infinity]);
  });

  test("integers are refused by name, unless they are not wanted", () => {
    const header = {
      "h.0.attn.bias": { dtype: "BOOL", shape: [2], data_offsets: [0, 2] },
      x: { dtype: "F32", shape: [1], data_offsets: [2, 6] },
    };
    writeRaw(header, new Uint8Array(6));
    expect(() => readSafetensors(path)).toThrow("h.0.attn.bias has type BOOL; F32, F16, BF16 and F64 are read");
    expect([...readSafetensors(path, { wanted: (name) => name === "x" }).tensors.keys()]).toEqual(["x"]);
  });
});

describe("files that cannot be used are CheckpointErrors with a remedy", () => {
  const expectDamaged = (message: string | RegExp) => {
    expect(() => readSafetensors(path)).toThrow(CheckpointError);
    expect(() => readSafetensors(path)).toThrow(message);
  };

  test("missing", () => {
    expect(() => readSafetensors(join(folder, "nowhere"))).toThrow(CheckpointError);
    expect(() => readSafetensors(join(folder, "nowhere"))).toThrow(/cannot read .*nowhere: ENOENT/);
    expect(() => readSafetensors(folder)).toThrow(CheckpointError);
  });

  test.each([
    ["empty", ""],
    ["shorter than its length", "abc"],
  ])("%s", (_, text) => {
    writeFileSync(path, text);
    expectDamaged(/is truncated or damaged/);
  });

  const one = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
  test.each<[string, unknown, RegExp]>([
    ["no JSON", "{not json", /its header is not JSON/],
    ["a list", [], /its header/],
    ["null", null, /its header/],
    ["an entry that is none", { x: 3 }, /x/],
    ["no offsets", { x: { dtype: "F32", shape: [2] } }, /x/],
    ["offsets of another kind", { x: { ...one, data_offsets: ["0", "8"] } }, /x/],
    ["a negative offset", { x: { ...one, data_offsets: [-8, 0] } }, /x/],
    ["a shape that is none", { x: { ...one, shape: "2" } }, /x/],
    ["a negative size", { x: { ...one, shape: [-1, -2] } }, /x/],
    ["a size that is not whole", { x: { ...one, shape: [0.5, 4] } }, /x/],
    ["more than the file holds", { x: { ...one, data_offsets: [8, 16] } }, /x of shape \[2\] needs bytes 8 to 16 of 8/],
    [
      "another number of bytes",
      { x: { ...one, shape: [3] } },
      /x of shape \[3\] needs 12 bytes, and has those from 0 to 8/,
    ],
    [
      "bytes named twice",
      { x: one, y: { ...one, shape: [1], data_offsets: [4, 8] } },
      /y begins at byte 4, and x ends at 8/,
    ],
    ["offsets that run backwards", { x: { ...one, data_offsets: [8, 0] } }, /x of shape \[2\] needs bytes 8 to 0/],
    ["a huge shape", { x: { ...one, shape: [2 ** 40, 2 ** 40] } }, /x/],
  ])("a header with %s", (_, header, message) => {
    writeRaw(header, new Uint8Array(8));
    expectDamaged(message);
  });

  test.each([0, 10 ** 12])("a header length of %d", (length) => {
    writeRaw({ x: one }, new Uint8Array(8), length);
    expectDamaged(/its header of \d+ bytes does not fit into \d+/);
  });

  test("a header that would take all memory to parse", () => {
    writeFileSync(path, "");
    truncateSync(path, 2 ** 30);
    const file = openSync(path, "r+");
    writeSync(file, new Uint8Array(BigUint64Array.of(2n ** 29n).buffer));
    closeSync(file);
    expectDamaged("its header of 536870912 bytes is above 16777216");
  });

  test("the same gigabytes under many names are not read", () => {
    const size = 2 ** 31;
    const entry = { dtype: "F32", shape: [size / 4], data_offsets: [0, size] };
    const header = Buffer.from(JSON.stringify(Object.fromEntries([..."abcdefgh"].map((name) => [name, entry]))));
    writeFileSync(path, Buffer.concat([new Uint8Array(BigUint64Array.of(BigInt(header.length)).buffer), header]));
    truncateSync(path, 8 + header.length + size);
    expectDamaged(/b begins at byte 0, and a ends at 2147483648/);
  });

  const tensors = new Map([
    ["a.weight", { shape: [2, 3], data: Float32Array.from([1, 2, 3, 4, 5, 6]) }],
    ["b", { shape: [4], data: Float32Array.from([1, 2, 3, 4]) }],
  ]);

  test("cut off anywhere", () => {
    writeSafetensors(path, tensors);
    const whole = readFileSync(path);
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length));
      expectDamaged(/truncated or damaged/);
    }
  });

  test("any byte changed: read, or refused, but nothing else", () => {
    writeSafetensors(path, tensors);
    const whole = readFileSync(path);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bytes = Buffer.from(whole);
        bytes[at] = bytes[at]! ^ change;
        writeFileSync(path, bytes);
        try {
          readSafetensors(path);
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

test("a full disk is the system's own error", () => {
  // Linux's device on which nothing can be written.
  if (process.platform !== "linux") return;
  const tensors = new Map([["x", { shape: [1000], data: new Float32Array(1000) }]]);
  expect(() => writeSafetensors("/dev/full", tensors)).toThrow(/ENOSPC/);
});
