import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { pairwiseLoss } from "./pairwise.ts";

const scores = fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 4, maxLength: 4 });

describe("the pairwise loss", () => {
  it("equals the obvious loop, and its gradients finite differences", () => {
    fc.assert(
      fc.property(scores, scores, scores, (chosen, rejected, margins) => {
        let loss = 0;
        let right = 0;
        for (let i = 0; i < 4; i++) {
          loss -= Math.log(1 / (1 + Math.exp(-(chosen[i]! - rejected[i]! - margins[i]!)))) / 4;
          if (chosen[i]! > rejected[i]!) right++;
        }
        const result = pairwiseLoss({ chosen, rejected, margins });
        expect(result.loss).toBeCloseTo(loss, 9);
        expect(result.accuracy).toBe(right / 4);
        const at = (by: number) => pairwiseLoss({ chosen: chosen.with(2, chosen[2]! + by), rejected, margins }).loss;
        expect(result.gradChosen[2]).toBeCloseTo((at(1e-5) - at(-1e-5)) / 2e-5, 6);
        expect(result.gradRejected[2]).toBe(-result.gradChosen[2]!);
      }),
    );
  });

  it("counts a tie as wrong", () => {
    expect(pairwiseLoss({ chosen: [1, 2], rejected: [1, 1], margins: [0, 0] }).accuracy).toBe(0.5);
  });

  it("stays finite if the exponential overflows, and is NaN over no pair", () => {
    const far = pairwiseLoss({ chosen: [-1000], rejected: [1000], margins: [0] });
    expect(far.loss).toBe(2000);
    expect(far.gradChosen).toEqual([-1]);
    expect(pairwiseLoss({ chosen: [], rejected: [], margins: [] }).loss).toBeNaN();
  });
});
