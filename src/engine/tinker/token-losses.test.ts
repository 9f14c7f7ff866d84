/** The derivatives that a Tinker server is sent are those of the losses of objectives/, which are tested against finite differences and slow loops. */
import { expect, test } from "vitest";
import { randomRows } from "../../../test/support/rows.ts";
import { policyTerms } from "../../objectives/clipped-policy.ts";
import { extraTerms } from "../../objectives/policy-extras.ts";
import type { PolicyLoss } from "../engine.ts";
import { supportedLoss, tokenTerms } from "./token-losses.ts";

const config = { clipLow: 0.2, clipHigh: 0.28, dualClip: 3, entropyCoef: 0, kl: null, temperature: 1 };

/** A policy loss over random rows, whose ratios go far beyond every clip. */
function randomLoss(seed: number, changes: Partial<PolicyLoss["config"]> = {}) {
  const { grids } = randomRows(seed);
  const [logprobs, oldLogprobs, advantages, refLogprobs, weights] = [...grids, ...randomRows(seed + 1000).grids].map(
    (grid) => (grid as number[][]).map((row) => row.map((x) => x)),
  ) as number[][][];
  const shaped = (rows: number[][] | undefined, fill: number) =>
    logprobs!.map((row, b) => row.map((_, t) => rows?.[b]?.[t] ?? fill));
  const loss: PolicyLoss = {
    ...{ name: "policy", sequences: [], config: { ...config, ...changes } },
    weights: shaped(weights, 0.3).map((row) => row.map(Math.abs)),
    oldLogprobs: shaped(oldLogprobs, 0),
    advantages: shaped(advantages, -1),
    refLogprobs: shaped(refLogprobs, 0.4),
  };
  return { loss, logprobs: logprobs! };
}

test("the clipped loss and its derivative are those of the slow loop, also with dual clip", () => {
  for (let seed = 0; seed < 30; seed++) {
    const { loss, logprobs } = randomLoss(seed);
    const { clipLow, clipHigh, dualClip } = loss.config;
    const slow = policyTerms({ ...loss, logprobs, clipLow, clipHigh, dualClip });
    const found = tokenTerms(loss, logprobs);
    const weighted = (rows: number[][]) => rows.map((row, b) => row.map((x, t) => x * loss.weights[b]![t]!));
    const total = weighted(slow.loss)
      .flat()
      .reduce((a, b) => a + b, 0);
    expect(found.loss).toBeCloseTo(total, 8);
    for (const [i, x] of weighted(slow.gradient).flat().entries()) expect(found.gradient.flat()[i]).toBeCloseTo(x, 10);
  }
});

test.each([
  ["the KL to the reference as k2", { kl: { coef: 0.3, estimator: "k2" } }],
  ["the KL to the reference as k3", { kl: { coef: 0.3, estimator: "k3" } }],
  ["the penalty form", { penalty: { beta: 0.7, oldModel: null } }],
] as const)("%s has the derivative of its finite difference", (_, changes) => {
  for (let seed = 0; seed < 10; seed++) {
    const { loss, logprobs } = randomLoss(seed, changes);
    const { gradient } = tokenTerms(loss, logprobs);
    for (const [b, row] of logprobs.entries())
      for (const t of row.keys()) {
        const at = (by: number) =>
          tokenTerms(
            loss,
            logprobs.map((r, i) => r.map((x, j) => (i === b && j === t ? x + by : x))),
          ).loss;
        const difference = (at(1e-6) - at(-1e-6)) / 2e-6;
        expect(Math.abs(gradient[b]![t]! - difference)).toBeLessThan(1e-4 * Math.max(1, Math.abs(difference)));
      }
  }
});

test("the KL's terms are those of policy-extras", () => {
  const { loss, logprobs } = randomLoss(3, { kl: { coef: 0.3, estimator: "k3" } });
  const { refLogprobs, config } = loss;
  const entropy = logprobs.map((row) => row.map(() => 0));
  const extras = extraTerms({ logprobs, refLogprobs, entropy, entropyCoef: 0, kl: config.kl });
  const without = tokenTerms({ ...loss, config: { ...config, kl: null } }, logprobs);
  const { gradient } = tokenTerms(loss, logprobs);
  for (const [i, x] of extras.klGradient.flat().entries())
    expect(gradient.flat()[i]! - without.gradient.flat()[i]!).toBeCloseTo(x * loss.weights.flat()[i]!, 10);
});

test("cross-entropy is the weighted sum of -log p, and a weight of 0 takes nothing, not even NaN", () => {
  const loss = { name: "cross_entropy", sequences: [], weights: [[0.5, 0]] } as const;
  expect(tokenTerms(loss, [[-2, Number.NaN]])).toEqual({ loss: 1, gradient: [[-0.5, 0]] });
  expect(tokenTerms({ ...loss, weights: [[Number.NaN]] }, [[-2]]).gradient[0]![0]).toBeNaN();
});

test("a loss that needs the whole distribution is refused by what it needs", () => {
  const of = (changes: Partial<PolicyLoss["config"]>) => () => supportedLoss(randomLoss(1, changes).loss);
  expect(of({})).not.toThrow();
  expect(of({ entropyCoef: 0.01 })).toThrow("an entropy bonus");
  expect(of({ temperature: 0.7, penalty: { beta: 1, oldModel: "m" } })).toThrow(/temperature 0.7 and a KL over/);
});
