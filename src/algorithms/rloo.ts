/**
 * RLOO, top to bottom: REINFORCE with the mean reward of the other responses to the same prompt as each response's baseline.
 *
 * After Ahmadian et al. 2024 ("Back to Basics: Revisiting REINFORCE Style Optimization for Learning from Human Feedback in LLMs") and Kool et al.
 * 2019 (the leave-one-out baseline). A whole response is one action: one reward, one advantage, and the sum of log p over its tokens (`aggregation:
 * sequence-sum`). Nothing is clipped and no values are learned. Row numbers refer to the table in docs/PPO.md.
 */

import type { PolicyBatch } from "../objectives/policy-extras.ts";
import { reinforceLoss } from "../objectives/reinforce.ts";
import * as rl from "../rl/index.ts";
import {
  type Gathered,
  gathered,
  policyPasses,
  responseRewardsOf,
  rewardsOf,
  sampleRollout,
  scoreRollout,
} from "../trainer/experience.ts";
import type { Experience, OnlineRun } from "../trainer/online-run.ts";
import { type Outcome, updatePolicy } from "../trainer/policy-update.ts";
import { recordIteration } from "../trainer/record-iteration.ts";
import { type InForce, inForce } from "../trainer/steering.ts";
import type { Algorithm } from "./algorithm.ts";

/** 1 roll out, 2 score, 3 reference pass, 4 advantages; 5 update; 6 record. */
export const algorithm: Algorithm = { gather, objective, update, record: recordIteration };

/** Phases 1 to 4. */
async function gather(run: OnlineRun, iteration: number): Promise<Gathered> {
  const { settings, klCoef } = inForce(run, iteration);

  // 1. Roll out: `responsesPerPrompt` responses to each prompt, one after the other (row 1).
  const rollout = await sampleRollout(run, iteration, settings);

  // 2. Score each response as a whole (row 18).
  const scored = await scoreRollout(run, iteration, rollout);

  // 3. Reference pass.
  const passes = await policyPasses(run, iteration, { rollout, settings });
  run.stopwatch.lap("passes");

  // 4. A response's reward is its score minus the KL of all its tokens (Ahmadian et al., eq. 3), its baseline the mean of the others'.
  const rewards_B_T = rewardsOf(run, passes, { rollout, scored, settings, klCoef });
  const advantages_B = rl.leaveOneOut(
    responseRewardsOf(rewards_B_T, { rollout, scored, settings }),
    settings.responsesPerPrompt,
  );
  const advantages_B_T = rewards_B_T.map((row, b) => row.map(() => advantages_B[b]!));
  run.stopwatch.lap("advantages");
  const made = { rollout, scored, passes, settings, klCoef, rewards: rewards_B_T };
  return gathered({ ...made, advantagesRaw: advantages_B_T, advantages: advantages_B_T });
}

/** REINFORCE's loss; the entropy bonus and the KL in the loss are off unless the configuration turns them on (rows 2 and 11). */
function objective(batch: PolicyBatch, { settings, klCoef }: InForce) {
  const { entropyCoef, temperature } = settings;
  const kl = settings.kl.in === "loss" ? { coef: klCoef, estimator: settings.kl.estimator } : null;
  return reinforceLoss(batch, { entropyCoef, kl, temperature });
}

/** Phase 5: each minibatch once. With only one minibatch the policy is still the one that sampled, and the gradient is REINFORCE's own. */
async function update(run: OnlineRun, iteration: number, experience: Experience): Promise<Outcome> {
  return updatePolicy(run, iteration, { experience, objective, epochs: 1 });
}
