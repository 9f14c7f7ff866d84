import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { fingerprint } from "./fingerprint.ts";

describe("a fingerprint", () => {
  it("is the same for the same numbers and changes with the last bit of any", () => {
    const row = fc.array(fc.double({ min: 0.5, max: 1, noNaN: true }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(row, row, fc.nat(), (a, b, at) => {
        const i = at % a.length;
        expect(fingerprint([a, b])).toBe(fingerprint([[...a], [...b]]));
        expect(fingerprint([a.with(i, a[i]! + Number.EPSILON), b])).not.toBe(fingerprint([a, b]));
      }),
    );
  });

  it("sees if rows end, and survives the store as a whole number", () => {
    expect(fingerprint([[1, 2], [3]])).not.toBe(fingerprint([[1], [2, 3]]));
    expect(Number.isSafeInteger(fingerprint([[NaN, -Infinity]]))).toBe(true);
  });
});
