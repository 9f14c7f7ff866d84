import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { entropyOfLogits, logSoftmax, logSumExp, tokenLogprob } from "./logprob.ts";

const logits = fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 1, maxLength: 8 });
const temperature = fc.double({ min: 0.2, max: 3, noNaN: true });

function slowProbabilities(z: readonly number[], temperature: number): number[] {
  let total = 0;
  for (const x of z) total += Math.exp(x / temperature);
  return z.map((x) => Math.exp(x / temperature) / total);
}

describe("log-probabilities", () => {
  it("equal the logarithm of exponentials over their sum", () => {
    fc.assert(
      fc.property(logits, temperature, (z, temperature) => {
        const slow = slowProbabilities(z, temperature).map(Math.log);
        logSoftmax(z, temperature).forEach((logp, v) => {
          expect(logp).toBeCloseTo(slow[v]!, 9);
          expect(tokenLogprob(z, v, temperature)).toBe(logp);
        });
      }),
    );
  });

  it("give the entropy -sum p log p", () => {
    fc.assert(
      fc.property(logits, temperature, (z, temperature) => {
        let entropy = 0;
        for (const p of slowProbabilities(z, temperature)) if (p > 0) entropy -= p * Math.log(p);
        expect(entropyOfLogits(z, temperature)).toBeCloseTo(entropy, 9);
      }),
    );
  });

  it("survive logits whose exponential overflows, and forbidden tokens", () => {
    expect(logSoftmax([1000, 0])[0]).toBe(0);
    expect(logSoftmax([1000, 0])[1]).toBe(-1000);
    expect(entropyOfLogits([0, 0, -Infinity])).toBeCloseTo(Math.log(2), 12);
    expect(logSumExp([-Infinity, -Infinity])).toBe(-Infinity);
  });

  it("keep NaN, and refuse a token that is not in the vocabulary", () => {
    expect(logSoftmax([NaN, 0])).toEqual([NaN, NaN]);
    expect(entropyOfLogits([NaN, 0])).toBeNaN();
    expect(() => tokenLogprob([0, 0], 2)).toThrow("token 2 is outside a vocabulary of 2");
  });
});
