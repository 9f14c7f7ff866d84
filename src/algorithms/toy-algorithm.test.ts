/**
 * A toy algorithm in this file only: it shows what it takes to add one. To give it a name in the configuration, export it as `algorithm` from
 * `src/algorithms/NAME.ts` and add the row NAME to `src/settings/algorithm-table.ts`: two files, held by open-algorithm.test.ts.
 */
import { expect, it } from "vitest";
import { runPpo } from "../../test/support/run-ppo.ts";
import { reinforceLoss } from "../objectives/reinforce.ts";
import { gathered, policyPasses, rewardsOf, sampleRollout, scoreRollout } from "../trainer/experience.ts";
import { updatePolicy } from "../trainer/policy-update.ts";
import { recordIteration } from "../trainer/record-iteration.ts";
import { inForce } from "../trainer/steering.ts";
import type { Algorithm } from "./algorithm.ts";

/** REINFORCE without a baseline: a token's advantage is its response's score. */
const reinforce: Algorithm = {
  async gather(run, iteration) {
    const { settings, klCoef } = inForce(run, iteration);
    const rollout = await sampleRollout(run, iteration, settings);
    const scored = await scoreRollout(run, iteration, rollout);
    const passes = await policyPasses(run, iteration, { rollout, settings });
    const rewards = rewardsOf(run, passes, { rollout, scored, settings, klCoef });
    const advantages = rewards.map((row, b) => row.map(() => scored.score[b]!));
    return gathered({ rollout, scored, passes, settings, klCoef, rewards, advantagesRaw: advantages, advantages });
  },
  objective: (batch, { settings }) =>
    reinforceLoss(batch, { entropyCoef: 0, kl: null, temperature: settings.temperature }),
  update(run, iteration, experience) {
    return updatePolicy(run, iteration, { experience, objective: this.objective, epochs: 1 });
  },
  record: recordIteration,
};

it("a toy algorithm learns, with the stage's checkpoints, controller and record around it", async () => {
  const { curve, result } = await runPpo({
    algorithm: reinforce,
    ppo: { algorithm: "rloo", iterations: 60, sequences: 32, kl: { coef: 0 } },
  });
  expect(curve.get(59)!["reward/score_mean"]).toBeGreaterThan(curve.get(0)!["reward/score_mean"]! + 3);
  expect(result.steps).toBe(60);
});
