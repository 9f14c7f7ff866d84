import { describe, expect, it } from "vitest";
import { randomRows, validCells } from "../../test/support/rows.ts";
import { responseRewards, tokenRewards, whitenRewards } from "./rewards.ts";

const plain = { klCoef: 0.1, scoreClip: null, missingEosPenalty: 0 };

describe("token rewards", () => {
  it("equal the obvious loop", () => {
    for (let seed = 0; seed < 30; seed++) {
      const { mask, grids } = randomRows(seed, { poison: true });
      const [logprobs, refLogprobs] = grids as [number[][], number[][]];
      const scores = [0.5, -7, 9, 2];
      const endsWithEos = [true, false, true, false];
      const settings = { klCoef: 0.1, scoreClip: 5, missingEosPenalty: 2 };
      const rewards = tokenRewards({ logprobs, refLogprobs, mask, scores, endsWithEos, ...settings });

      const slow = mask.map((row) => row.map(() => 0));
      const last = new Map<number, number>();
      for (const [b, t] of validCells(mask)) {
        slow[b]![t] = -0.1 * (logprobs[b]![t]! - refLogprobs[b]![t]!);
        last.set(b, t);
      }
      for (const [b, t] of last) slow[b]![t]! += [0.5, -7, 5, 0][b]!;
      rewards.forEach((row, b) => {
        row.forEach((r, t) => {
          expect(r).toBeCloseTo(slow[b]![t]!, 12);
        });
      });
    }
  });

  it("with steps equal the obvious loop: a step's at its own token, the rest of the score at the last", () => {
    for (let seed = 0; seed < 30; seed++) {
      const { mask, grids } = randomRows(seed, { poison: true });
      const [logprobs, refLogprobs, stepRewards] = grids as [number[][], number[][], number[][]];
      const scores = [0.5, -7, 9, 2];
      const endsWithEos = [true, false, true, false];
      const settings = { klCoef: 0.1, scoreClip: 5, missingEosPenalty: 2 };
      const options = { logprobs, refLogprobs, mask, scores, endsWithEos, ...settings };
      const rewards = tokenRewards({ ...options, stepRewards });
      // What responses are compared by.
      const sums = tokenRewards(options).map((row) => row.reduce((sum, r) => sum + r, 0));
      rewards.forEach((row, b) => {
        expect(row.reduce((sum, r) => sum + r, 0)).toBeCloseTo(sums[b]!, 10);
      });

      const slow = mask.map((row) => row.map(() => 0));
      const last = new Map<number, number>();
      const placed = [0, 0, 0, 0];
      for (const [b, t] of validCells(mask)) {
        slow[b]![t] = -0.1 * (logprobs[b]![t]! - refLogprobs[b]![t]!) + stepRewards[b]![t]!;
        placed[b]! += stepRewards[b]![t]!;
        last.set(b, t);
      }
      for (const [b, t] of last) slow[b]![t]! += [0.5, -7, 5, 0][b]! - placed[b]!;
      rewards.forEach((row, b) => {
        row.forEach((r, t) => {
          expect(r).toBeCloseTo(slow[b]![t]!, 10);
        });
      });
    }
  });

  it("clip the score first and take the penalty after", () => {
    const one = { logprobs: [[0]], refLogprobs: [[0]] };
    const options = { ...one, ...plain, scoreClip: 1, missingEosPenalty: 3 };
    expect(tokenRewards({ ...options, scores: [10], endsWithEos: [false] })).toEqual([[-2]]);
    expect(tokenRewards({ ...options, scores: [-10], endsWithEos: [true] })).toEqual([[-1]]);
  });

  it("hold no KL if it is in the loss, even if the reference is infinite", () => {
    const rewards = tokenRewards({
      logprobs: [[-1, -2]],
      refLogprobs: [[-Infinity, -1]],
      ...plain,
      scores: [4],
      endsWithEos: [true],
      klCoef: 0,
    });
    expect(rewards).toEqual([[0, 4]]);
  });

  it("let a score that is not a number through", () => {
    const options = {
      logprobs: [[0]],
      refLogprobs: [[0]],
      ...plain,
      scoreClip: 10,
      scores: [NaN],
      endsWithEos: [true],
    };
    expect(tokenRewards(options)[0]![0]).toBeNaN();
  });

  it("lose the score of a sequence without a token, and no other", () => {
    const options = {
      logprobs: [[], [0]],
      refLogprobs: [[], [0]],
      ...plain,
      scores: [1, 2],
      endsWithEos: [true, true],
    };
    const [empty, one] = tokenRewards(options);
    expect(empty).toEqual([]);
    expect(one![0]).toBe(2);
  });

  it("refuse scores of another number than sequences", () => {
    expect(() => tokenRewards({ logprobs: [[0]], refLogprobs: [[0]], ...plain, scores: [], endsWithEos: [] })).toThrow(
      "scores has 0 entries where logprobs has 1",
    );
  });
});

it("a response as a whole has the sum of its tokens' rewards, or its score if it has no tokens", () => {
  const settings = { scores: [9, -7, 2], endsWithEos: [true, true, false], scoreClip: 5, missingEosPenalty: 1 };
  expect(responseRewards([[1, 2], [], []], settings)).toEqual([3, -5, 1]);
});

describe("whitened rewards", () => {
  it("keep their mean and have variance 1", () => {
    const { mask, grids } = randomRows(3);
    const shifted = grids[0]!.map((row) => row.map((x) => 3 * x + 5));
    const whitened = whitenRewards(shifted, mask);
    const before: number[] = [];
    const after: number[] = [];
    for (const [b, t] of validCells(mask)) {
      before.push(shifted[b]![t]!);
      after.push(whitened[b]![t]!);
    }
    const mean = (x: number[]) => x.reduce((a, b) => a + b, 0) / x.length;
    const unbiased = (x: number[]) => x.reduce((a, b) => a + (b - mean(x)) ** 2, 0) / (x.length - 1);
    expect(mean(after)).toBeCloseTo(mean(before), 10);
    expect(unbiased(after)).toBeCloseTo(1, 7);
  });

  it("of one token are left alone", () => {
    expect(whitenRewards([[7, 3]], [[0, 1]])).toEqual([[0, 3]]);
  });
});
