import { expect, it } from "vitest";
import { similaritySignals } from "./similarity-signals.ts";

it("compares two policies on one's samples, token by token", () => {
  const before = { logprobs: [[-1, -2], [-0.5]], top1: [[3, 4], [5]] };
  const now = { logprobs: [[-1, -1], [-2]], top1: [[3, 7], [5]] };
  let kl = 0;
  for (const [old, current] of [
    [-1, -1],
    [-2, -1],
    [-0.5, -2],
  ] as const) {
    const ratio = Math.exp(current) / Math.exp(old);
    kl += (ratio - 1 - Math.log(ratio)) / 3;
  }
  expect(
    similaritySignals({ before, now, greedyBefore: [[1, 2], [3], [4]], greedyNow: [[1, 2], [3, 3], [5]] }),
  ).toEqual({
    "similarity/kl_k3_token": expect.closeTo(kl, 12),
    "similarity/top1_agreement": 2 / 3,
    "similarity/greedy_changed_share": 2 / 3,
  });
});

it("finds nothing between a policy and itself", () => {
  const same = { logprobs: [[-1, -2]], top1: [[3, 4]] };
  expect(similaritySignals({ before: same, now: same, greedyBefore: [[1]], greedyNow: [[1]] })).toEqual({
    "similarity/kl_k3_token": 0,
    "similarity/top1_agreement": 1,
    "similarity/greedy_changed_share": 0,
  });
});
