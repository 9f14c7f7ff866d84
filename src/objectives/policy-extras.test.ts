import { describe, expect, it } from "vitest";
import { crossEntropyTerms } from "./cross-entropy.ts";
import { extraTerms } from "./policy-extras.ts";

describe("the terms beside a policy loss", () => {
  const rows = { refLogprobs: [[-1, -0.5]], entropy: [[0.7, 0.2]], entropyCoef: 0.01 };
  it.each(["k2", "k3"] as const)("entropy bonus and %s, and the KL's gradient by finite differences", (estimator) => {
    const at = (by: number) => extraTerms({ ...rows, logprobs: [[-0.4 + by, -2 + by]], kl: { coef: 0.3, estimator } });
    const { loss, klGradient } = at(0);
    const kl = (d: number) => (estimator === "k2" ? d ** 2 / 2 : Math.exp(-d) - 1 + d);
    for (const [t, d] of [0.6, -1.5].entries()) {
      expect(loss[0]![t]).toBeCloseTo(0.3 * kl(d) - 0.01 * rows.entropy[0]![t]!, 12);
      expect(klGradient[0]![t]).toBeCloseTo((at(1e-6).loss[0]![t]! - at(-1e-6).loss[0]![t]!) / 2e-6, 6);
    }
  });

  it("without a KL only the entropy's", () => {
    expect(extraTerms({ logprobs: [[-1]], entropy: [[2]], entropyCoef: 0.5, kl: null })).toEqual({
      loss: [[-1]],
      klGradient: [[0]],
    });
  });
});

it("the cross-entropy is minus the log-probability", () => {
  expect(crossEntropyTerms([[-2, -0.5]])).toEqual({ loss: [[2, 0.5]], gradient: [[-1, -1]] });
});
