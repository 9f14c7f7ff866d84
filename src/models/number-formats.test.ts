/** Number formats: rounding against a slow search for the nearest half, and numbers that do not fit. */
import { describe, expect, test } from "vitest";
import fc from "../../test/support/property.ts";
import { CheckpointError } from "../util/errors.ts";
import { decode, toHalves } from "./number-formats.ts";

const formats = [
  ["F16", 0x7bff, 65504],
  ["BF16", 0x7f7f, 3.3895313892515355e38],
] as const;

function numbers(halves: Uint16Array, format: "F16" | "BF16"): Float32Array {
  const into = new Float32Array(halves.length);
  decode(new Uint8Array(halves.buffer), format, into);
  return into;
}

describe.each(formats)("%s", (format, largest, largestNumber) => {
  /** All finite halves that are not negative, ascending: their order is that of their codes. */
  const all = numbers(
    Uint16Array.from({ length: largest + 1 }, (_, code) => code),
    format,
  );

  /** The code of the nearest half, the even one after a tie. */
  function nearest(value: number): number {
    const magnitude = Math.abs(value);
    let below = 0;
    let above: number = largest;
    while (above - below > 1) {
      const middle = (below + above) >> 1;
      if (all[middle]! <= magnitude) below = middle;
      else above = middle;
    }
    const [down, up] = [magnitude - all[below]!, all[above]! - magnitude];
    const code = down < up || (down === up && below % 2 === 0) ? below : above;
    return code | (Object.is(Math.sign(value), -0) || value < 0 ? 0x8000 : 0);
  }

  test("every half comes back as itself", () => {
    expect(all.at(-1)).toBe(largestNumber);
    expect(toHalves(all, format, "x")).toEqual(Uint16Array.from({ length: largest + 1 }, (_, code) => code));
    expect(
      toHalves(
        all.map((value) => -value),
        format,
        "x",
      )[1],
    ).toBe(0x8001);
  });

  test("halfway between two halves, and one float32 to either side", () => {
    const word = new Uint32Array(1);
    const float = new Float32Array(word.buffer);
    for (let code = 0; code < largest; code += 7) {
      // Exact: the middle of two neighbours has one more bit.
      float[0] = (all[code]! + all[code + 1]!) / 2;
      for (const step of [-1, 0, 1]) {
        const value = Float32Array.from(new Uint32Array([word[0]! + step]), () => 0);
        new Uint32Array(value.buffer)[0] = word[0]! + step;
        expect(toHalves(value, format, "x")[0]).toBe(nearest(value[0]!));
      }
    }
  });

  test("any float32 within the format", () => {
    fc.assert(
      fc.property(fc.float({ min: -65504, max: 65504, noNaN: true }), (value) => {
        expect(toHalves(Float32Array.of(value), format, "x")[0]).toBe(nearest(value));
      }),
      { numRuns: 2000 },
    );
  });

  test("NaN and the infinities stay what they are; a finite number that would be infinite names its tensor", () => {
    const special = Float32Array.of(Number.NaN, Infinity, -Infinity, -0);
    expect([...numbers(toHalves(special, format, "x"), format)]).toEqual([...special]);
    // A NaN whose only fraction bits are among those that are cut off.
    const low = new Float32Array(Uint32Array.of(0x7f800001, 0xffffffff).buffer);
    expect([...numbers(toHalves(low, format, "x"), format)]).toEqual([Number.NaN, Number.NaN]);
    const beyond = format === "F16" ? 65520 : 3.4e38;
    expect(() => toHalves(Float32Array.of(0, -beyond), format, "h.0.weight")).toThrow(CheckpointError);
    expect(() => toHalves(Float32Array.of(0, -beyond), format, "h.0.weight")).toThrow(
      new RegExp(
        `h\\.0\\.weight holds -${format === "F16" ? "65520, which is beyond fp16" : "3.39.*, which is beyond bf16"}`,
      ),
    );
    const within = format === "F16" ? 65519.99 : 3.3895e38;
    expect(toHalves(Float32Array.of(within), format, "x")[0]).toBe(largest);
  });
});
