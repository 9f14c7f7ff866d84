import { describe, expect, it } from "vitest";
import { randomRows, validCells } from "../../test/support/rows.ts";
import { mergeUpdateStatistics } from "../rl/index.ts";
import { policyTerms, updateStatistics } from "./clipped-policy.ts";

const settings = { clipLow: 0.2, clipHigh: 0.28, dualClip: 3 };

function randomUpdate(seed: number) {
  const { mask, grids } = randomRows(seed, { poison: true });
  const [logprobs, oldLogprobs, advantages] = grids as [number[][], number[][], number[][]];
  return { logprobs, oldLogprobs, advantages, mask, ...settings };
}

/** The loss of one token by cases, as in PPO's figure 1. */
function slowLoss(logRatio: number, advantage: number): { loss: number; clipped: boolean; dual: boolean } {
  const ratio = Math.exp(logRatio);
  if (advantage > 0 && ratio > 1.28) return { loss: -advantage * 1.28, clipped: true, dual: false };
  if (advantage < 0 && ratio < 0.8) return { loss: -advantage * 0.8, clipped: true, dual: false };
  if (advantage < 0 && ratio > 3) return { loss: -advantage * 3, clipped: false, dual: true };
  return { loss: -advantage * ratio, clipped: false, dual: false };
}

describe("the clipped policy loss", () => {
  it("equals the loss by cases, and its gradient finite differences", () => {
    for (let seed = 0; seed < 40; seed++) {
      const options = randomUpdate(seed);
      const terms = policyTerms(options);
      const nudged = (by: number) =>
        policyTerms({ ...options, logprobs: options.logprobs.map((row) => row.map((x) => x + by)) });
      const above = nudged(1e-6);
      const below = nudged(-1e-6);
      for (const [b, t] of validCells(options.mask)) {
        const slow = slowLoss(options.logprobs[b]![t]! - options.oldLogprobs[b]![t]!, options.advantages[b]![t]!);
        expect(terms.loss[b]![t]).toBeCloseTo(slow.loss, 12);
        expect(terms.clipped[b]![t]).toBe(slow.clipped);
        expect(terms.dualClipped[b]![t]).toBe(slow.dual);
        expect(terms.gradient[b]![t]).toBeCloseTo((above.loss[b]![t]! - below.loss[b]![t]!) / 2e-6, 5);
      }
    }
  });

  it("is 0 if masked, whatever lies there", () => {
    const terms = policyTerms({
      logprobs: [[NaN]],
      oldLogprobs: [[NaN]],
      advantages: [[NaN]],
      mask: [[0]],
      ...settings,
    });
    expect(terms).toEqual({ loss: [[0]], ratio: [[0]], clipped: [[false]], dualClipped: [[false]], gradient: [[0]] });
  });

  it("clamps the log ratio at 20 and then has no gradient", () => {
    const terms = policyTerms({
      logprobs: [[0]],
      oldLogprobs: [[-50]],
      advantages: [[-1]],
      ...settings,
      dualClip: null,
    });
    expect(terms.loss[0]![0]).toBe(Math.exp(20));
    expect(terms.gradient[0]![0]).toBe(0);
  });

  it("keeps an advantage that is not a number", () => {
    expect(
      policyTerms({ logprobs: [[0]], oldLogprobs: [[0]], advantages: [[NaN]], ...settings }).loss[0]![0],
    ).toBeNaN();
  });
});

describe("the statistics of an update", () => {
  it("equal the obvious loops", () => {
    for (let seed = 0; seed < 40; seed++) {
      const options = randomUpdate(seed);
      const cells = [...validCells(options.mask)];
      if (cells.length === 0) continue;
      const statistics = updateStatistics(options);
      const klBySequence = new Map<number, number[]>();
      const ratios: number[] = [];
      let clipped = 0;
      for (const [b, t] of cells) {
        const logRatio = options.logprobs[b]![t]! - options.oldLogprobs[b]![t]!;
        ratios.push(Math.exp(logRatio));
        klBySequence.set(b, [...(klBySequence.get(b) ?? []), Math.exp(logRatio) - 1 - logRatio]);
        if (slowLoss(logRatio, options.advantages[b]![t]!).clipped) clipped++;
      }
      const mean = (x: number[]) => x.reduce((a, b) => a + b, 0) / x.length;
      expect(statistics.approxKlMean).toBeCloseTo(mean([...klBySequence.values()].flat()), 10);
      expect(statistics.approxKlMax).toBeCloseTo(Math.max(...[...klBySequence.values()].map(mean)), 10);
      const [, ...others] = [...klBySequence.values()].sort((a, b) => mean(b) - mean(a));
      const rest = others.length > 0 ? others : [...klBySequence.values()];
      expect(statistics.approxKlRest).toBeCloseTo(mean(rest.flat()), 10);
      expect(statistics.ratioMean).toBeCloseTo(mean(ratios), 10);
      expect(statistics.ratioMax).toBe(Math.max(...ratios));
      expect(statistics.ratioVariance).toBeCloseTo(mean(ratios.map((r) => (r - mean(ratios)) ** 2)), 8);
      expect(statistics.ratioMaxDeviation).toBeCloseTo(Math.max(...ratios.map((r) => Math.abs(r - 1))), 12);
      expect(statistics.clipFraction).toBeCloseTo(clipped / cells.length, 12);
      expect(statistics.tokens).toBe(cells.length);
    }
  });

  it("of minibatches merge into those of the whole, an empty one changing nothing", () => {
    for (let seed = 0; seed < 20; seed++) {
      const { mask, logprobs, oldLogprobs, advantages } = randomUpdate(seed);
      if ([...validCells(mask)].length === 0) continue;
      const part = (from: number, to: number) =>
        updateStatistics({
          mask: mask.slice(from, to),
          logprobs: logprobs.slice(from, to),
          oldLogprobs: oldLogprobs.slice(from, to),
          advantages: advantages.slice(from, to),
          ...settings,
        });
      const whole = part(0, 4);
      const merged = mergeUpdateStatistics([part(0, 1), part(1, 1), part(1, 4)]);
      const { approxKlRest, ...exact } = whole;
      for (const key of Object.keys(exact) as (keyof typeof exact)[]) expect(merged[key]).toBeCloseTo(whole[key]!, 8);
      // Each part leaves its own sequence out.
      const [first, last] = [part(0, 1), part(1, 4)];
      const weight = (one: typeof first) => (one.tokens === 0 ? 0 : one.tokens * one.approxKlRest);
      expect(merged.approxKlRest).toBeCloseTo((weight(first) + weight(last)) / whole.tokens, 8);
      expect(approxKlRest).toBeLessThanOrEqual(whole.approxKlMax);
    }
  });

  it("report KL unclamped, and NaN over no token", () => {
    const far = updateStatistics({ logprobs: [[-50]], oldLogprobs: [[0]], advantages: [[1]], ...settings });
    expect(far.approxKlMean).toBeCloseTo(49, 12);
    expect(updateStatistics({ logprobs: [], oldLogprobs: [], advantages: [], ...settings }).approxKlMax).toBeNaN();
    expect(mergeUpdateStatistics([]).clipFraction).toBeNaN();
  });

  it("show a ratio that is not a number in mean and maximum", () => {
    const statistics = updateStatistics({
      logprobs: [[0, NaN, 0]],
      oldLogprobs: [[0, 0, 0]],
      advantages: [[1, 1, 1]],
      ...settings,
    });
    expect([statistics.ratioMean, statistics.ratioMax, statistics.approxKlMax]).toEqual([NaN, NaN, NaN]);
  });
});
