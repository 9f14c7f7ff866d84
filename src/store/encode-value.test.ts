import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import {
  decodeDoubles,
  decodeFloats,
  decodeJson,
  decodeText,
  encodeDoubles,
  encodeFloats,
  encodeJson,
  encodeText,
  finiteOrNull,
  flagOf,
  numberOf,
} from "./encode-value.ts";

describe("a number and its flag", () => {
  it.each([0, -0, 1.5, Number.MAX_VALUE, Number.NaN, Infinity, -Infinity])("keep %d", (value) => {
    expect(numberOf(finiteOrNull(value), flagOf(value))).toBe(value);
  });
});

describe("JSON", () => {
  it("keeps what JSON.stringify would turn to null", () => {
    const value = { loss: Number.NaN, rows: [Infinity, -Infinity, -0, 1], nested: { x: Number.NaN } };
    expect(decodeJson(encodeJson(value))).toEqual(value);
    expect(encodeJson({ loss: Number.NaN })).toBe(`{"loss":{"$number":"NaN"}}`);
  });

  it("keeps any plain value", () => {
    const values = fc.anything({
      withNullPrototype: false,
      key: fc.oneof(fc.string(), fc.constantFrom("$number", "__proto__")),
      values: [fc.double(), fc.integer(), fc.string({ unit: "binary" }), fc.boolean(), fc.constant(null)],
    });
    fc.assert(
      fc.property(values, (value) => {
        expect(decodeJson(encodeJson(value))).toStrictEqual(value);
      }),
    );
  });

  it("writes typed arrays as arrays", () => {
    expect(decodeJson(encodeJson(new Float32Array([1, Number.NaN])))).toEqual([1, Number.NaN]);
  });
});

describe("text", () => {
  it("keeps any string, as text if SQLite's text can hold it", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => decodeText(encodeText(text)) === text));
    expect(encodeText("plain 😀")).toBe("plain 😀");
    for (const text of ["a\0b", "half a pair \ud83d"]) expect(decodeText(encodeText(text))).toBe(text);
  });
});

describe("arrays", () => {
  it("of doubles keep every bit; of floats what float32 holds", () => {
    fc.assert(
      fc.property(fc.array(fc.double()), (values) => {
        expect(decodeDoubles(encodeDoubles(values))).toStrictEqual(values);
        expect(decodeFloats(encodeFloats(values))).toStrictEqual(values.map(Math.fround));
      }),
    );
  });
});
