/**
 * GRPO, top to bottom: PPO's clipped loss, with each token's advantage being the response's reward compared with those of the other responses to the
 * same prompt, and the KL to the reference in the loss.
 *
 * After Shao et al. 2024 ("DeepSeekMath", section 4.1). Two choices of the paper have been questioned, and are settings:
 * - `aggregation`: with the paper's mean over the tokens of a response (`sequence-mean`) a token of a long wrong response counts for less, so that
 *   wrong responses grow. Yu et al. 2025 ("DAPO") take the mean over all tokens (`token-mean`), Liu et al. 2025 ("Dr. GRPO") the sum over a response
 *   up to a constant (`sequence-sum`).
 * - `whitenAdvantages`: the paper divides by the group's standard deviation, which weighs prompts by how alike their rewards are. Dr. GRPO does not
 *   (`false`).
 *
 * Row numbers refer to the table in docs/PPO.md.
 */
import { clippedPolicyLoss } from "../objectives/clipped-policy.ts";
import type { PolicyBatch } from "../objectives/policy-extras.ts";
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

  // 1. Roll out: a group of `responsesPerPrompt` responses to each prompt (row 1).
  const rollout = await sampleRollout(run, iteration, settings);

  // 2. Score each response as a whole (row 18).
  const scored = await scoreRollout(run, iteration, rollout);

  // 3. Reference pass.
  const passes = await policyPasses(run, iteration, { rollout, settings });
  run.stopwatch.lap("passes");

  // 4. Outcome supervision: the response's reward compared with its group's, for each of its tokens. With the KL in the loss the reward is the score;
  //    with `kl.in: reward` it is the score minus the KL of all tokens.
  const rewards_B_T = rewardsOf(run, passes, { rollout, scored, settings, klCoef });
  const rewards_B = responseRewardsOf(rewards_B_T, { rollout, scored, settings });
  const size = settings.responsesPerPrompt;
  const centred_B = rl.groupCentred(rewards_B, size);
  const advantages_B = settings.whitenAdvantages ? rl.groupNormalised(rewards_B, size) : centred_B;
  run.stopwatch.lap("advantages");
  const ofTokens = (of_B: readonly number[]) => rewards_B_T.map((row, b) => row.map(() => of_B[b]!));
  const made = { rollout, scored, passes, settings, klCoef, rewards: rewards_B_T };
  return gathered({ ...made, advantagesRaw: ofTokens(centred_B), advantages: ofTokens(advantages_B) });
}

/** The clipped loss, plus the KL to the reference as k3 (Shao et al., eq. 4) or as set by `kl.estimator` (rows 2, 7, 8 and 11). */
function objective(batch: PolicyBatch, { settings, clipLow, clipHigh, klCoef }: InForce) {
  const { dualClip, entropyCoef, temperature } = settings;
  const kl = settings.kl.in === "loss" ? { coef: klCoef, estimator: settings.kl.estimator } : null;
  return clippedPolicyLoss(batch, { clipLow, clipHigh, dualClip, entropyCoef, kl, temperature });
}

/** Phase 5: epochs over reshuffled minibatches. */
async function update(run: OnlineRun, iteration: number, experience: Experience): Promise<Outcome> {
  return updatePolicy(run, iteration, { experience, objective });
}
