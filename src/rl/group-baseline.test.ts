import { describe, expect, it } from "vitest";
import { random } from "../util/random.ts";
import { groupCentred, groupNormalised, leaveOneOut } from "./group-baseline.ts";

const stream = random(1, "rewards");
const rewards = Array.from({ length: 12 }, () => stream.normal());

describe("a group's baseline", () => {
  it("leaves the response itself out: the obvious loop", () => {
    const slow = rewards.map((reward, i) => {
      const first = i - (i % 4);
      const others = rewards.filter((_, j) => j >= first && j < first + 4 && j !== i);
      return reward - others.reduce((total, other) => total + other, 0) / 3;
    });
    for (const [i, advantage] of leaveOneOut(rewards, 4).entries()) expect(advantage).toBeCloseTo(slow[i]!, 12);
  });

  it("of two responses is the other's reward; that of the whole group is k / (k - 1) nearer", () => {
    expect(leaveOneOut([5, 1, 2, 2], 2)).toEqual([4, -4, 0, 0]);
    for (const [i, advantage] of leaveOneOut(rewards, 3).entries())
      expect(advantage).toBeCloseTo((groupCentred(rewards, 3)[i]! * 3) / 2, 12);
  });

  it("divided by the group's spread has mean 0 and variance 1 in each group, by the obvious loop", () => {
    const normalised = groupNormalised(rewards, 6);
    for (const first of [0, 6]) {
      const group = rewards.slice(first, first + 6);
      const center = group.reduce((a, b) => a + b, 0) / 6;
      const spread = Math.sqrt(group.reduce((total, x) => total + (x - center) ** 2, 0) / 5);
      for (const [i, reward] of group.entries())
        expect(normalised[first + i]).toBeCloseTo((reward - center) / (spread + 1e-4), 12);
    }
    expect(groupNormalised([7, 7, 7], 3)).toEqual([0, 0, 0]);
  });

  it("needs whole groups of at least two", () => {
    expect(() => leaveOneOut([1, 2], 1)).toThrow(/2 rewards are not groups of 1, each of at least 2/);
    expect(() => groupNormalised([1, 2, 3], 2)).toThrow(/3 rewards are not groups of 2/);
  });
});
