import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { correctedDecay, slowDistance } from "./slow-average.ts";

describe("the slow critic", () => {
  it("equals the corrected average written out as a sum over all steps", () => {
    const weights = fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(weights, fc.double({ min: 0, max: 0.999, noNaN: true }), (w, decay) => {
        let slow = 99;
        w.forEach((x, i) => {
          const d = correctedDecay(decay, i + 1);
          slow = d * slow + (1 - d) * x;
        });
        const shares = w.map((_, i) => decay ** (w.length - 1 - i));
        const expected = w.reduce((sum, x, i) => sum + shares[i]! * x, 0) / shares.reduce((a, b) => a + b);
        expect(slow).toBeCloseTo(expected, 8);
      }),
    );
  });

  it("is as far as the root mean square of the differences", () => {
    expect(slowDistance([[1, 2], [], [4]], [[1, 0], [], [1]])).toBeCloseTo(Math.sqrt(13 / 3), 12);
    expect(slowDistance([[]], [[]])).toBeNaN();
  });
});
