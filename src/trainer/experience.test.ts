/** Where the reward of a step is placed: at the token that completes its text. */
import { expect, it } from "vitest";
import { rewardsOf, tokenOf } from "./experience.ts";
import type { OnlineRun } from "./online-run.ts";

type Given = Parameters<typeof rewardsOf>;

const pieces = ["=", " 2", " =", " 15", ""];
const decode = (ids: readonly number[]) => ids.map((id) => pieces[id]!).join("");

it("equals the obvious search from the first token on", () => {
  const tokens = [0, 1, 2, 3, 4, 0, 1, 4];
  for (let count = 0; count <= tokens.length; count++) {
    const given = tokens.slice(0, count);
    for (let end = 0; end <= decode(tokens).length + 2; end++) {
      const found = given.findIndex((_, t) => decode(given.slice(0, t + 1)).length >= end);
      expect(tokenOf(end, given, { decode }), `${end} of ${count}`).toBe(found < 0 ? count - 1 : found);
    }
  }
});

it("a step's reward stands at its token, and the rest of the clipped score at the last", () => {
  const run = { context: { tokenizer: { decode } } } as unknown as OnlineRun;
  const rows = [
    [0, 1, 2, 3, 4],
    [0, 1],
  ];
  const zeros = rows.map((row) => row.map(() => 0));
  const passes = { logprobs: zeros, refLogprobs: zeros } as unknown as Given[1];
  const rollout = { responses_B_T: rows, endsWithEos: [true, false] };
  const settings = { kl: { in: "reward" }, scoreClip: 4, missingEosPenalty: 1 };
  const steps = [
    [
      { end: 3, reward: 2 },
      { end: 8, reward: 3 },
    ],
    [],
  ];
  const scored = { score: [5, 0.5], steps };
  const rewards = rewardsOf(run, passes, { rollout, scored, settings, klCoef: 0.1 } as unknown as Given[2]);
  expect(rewards).toEqual([
    [0, 2, 0, 3, -1],
    [0, -0.5],
  ]);
});
