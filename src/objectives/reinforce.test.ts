import { expect, it } from "vitest";
import { policyTerms } from "./clipped-policy.ts";
import { reinforceLoss, reinforceTerms } from "./reinforce.ts";

const rows = { oldLogprobs: [[-1, -2, -0.5]], advantages: [[2, -1, 0.3]] };

it("REINFORCE's loss has the gradient -A d log p if the policy is the one that sampled", () => {
  expect(reinforceTerms({ ...rows, logprobs: rows.oldLogprobs })).toEqual([[-2, 1, -0.3]]);
  const at = (by: number) =>
    reinforceTerms({ ...rows, logprobs: rows.oldLogprobs.map((row) => row.map((x) => x + by)) })[0]!;
  for (const [t, advantage] of rows.advantages[0]!.entries())
    expect((at(1e-6)[t]! - at(-1e-6)[t]!) / 2e-6).toBeCloseTo(-advantage, 6);
});

it("what an engine is asked for is the same: its clip never binds, however far the policy has moved", () => {
  const logprobs = [[-0.1, -30, 40]];
  const batch = { sequences: [], weights: [], ...rows };
  const { config } = reinforceLoss(batch, { entropyCoef: 0, kl: null, temperature: 1 });
  const { loss, clipped } = policyTerms({ ...rows, ...config, logprobs });
  expect(loss).toEqual(reinforceTerms({ ...rows, logprobs }));
  expect(clipped.flat()).not.toContain(true);
});
