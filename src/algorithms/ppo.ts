/**
 * PPO for language models, top to bottom: an iteration is one rollout and its update, in six phases.
 *
 * After Schulman et al. 2017 (PPO), Ziegler et al. 2019 (the KL to a reference), Stiennon et al. 2020 (a separate critic) and Huang et al. 2024 ("The
 * N+ implementation details of RLHF with PPO"). Row numbers refer to the table in docs/PPO.md.
 */
import { clippedPolicyLoss } from "../objectives/clipped-policy.ts";
import { valueTerms } from "../objectives/clipped-value.ts";
import { type Penalty, penaltyPolicyLoss } from "../objectives/penalty-policy.ts";
import type { PolicyBatch } from "../objectives/policy-extras.ts";
import * as rl from "../rl/index.ts";
import {
  type Gathered,
  gathered,
  policyPasses,
  rewardsOf,
  sampleRollout,
  scoreRollout,
  valuePass,
} from "../trainer/experience.ts";
import type { Experience, OnlineRun } from "../trainer/online-run.ts";
import { takeStep } from "../trainer/optimizer-step.ts";
import {
  consultBeforeStep,
  emptyOutcome,
  endsOnKl,
  minibatchesOf,
  normOf,
  type Outcome,
  policyGradient,
} from "../trainer/policy-update.ts";
import { recordIteration } from "../trainer/record-iteration.ts";
import { type InForce, inForce, lambdaInForce, layerFactors } from "../trainer/steering.ts";
import type { Algorithm } from "./algorithm.ts";
import { followCritic, valueGradient } from "./ppo-critic.ts";
import { closePenalty, openPenalty } from "./ppo-penalty.ts";

/** 1 roll out, 2 score, 3 reference and value passes, 4 rewards and advantages; 5 update; 6 record, which is the same for every algorithm. */
export const algorithm: Algorithm = { gather, objective, update, record: recordIteration };

/** Phases 1 to 4. */
async function gather(run: OnlineRun, iteration: number): Promise<Gathered> {
  const { stopwatch } = run;
  const critic = run.models.critic!;
  const { settings, klCoef } = inForce(run, iteration);

  // 1. Roll out: responses from the current policy, over its whole distribution (row 1).
  const rollout = await sampleRollout(run, iteration, settings);

  // 2. Score each response as a whole. Learned scores are normalised (row 18).
  const scored = await scoreRollout(run, iteration, rollout);

  // 3. Reference and value passes. GAE uses the values of the slow critic, if there is one (row 20).
  const passes = await policyPasses(run, iteration, { rollout, settings });
  const values_B_T = await valuePass(run, iteration, { model: critic.id, rollout, settings });
  const { slow } = critic;
  const slowValues_B_T =
    slow === null ? values_B_T : await valuePass(run, iteration, { model: slow, rollout, settings });
  stopwatch.lap("passes");

  // 4. Rewards and advantages. The KL enters the reward (as k1) or the loss (as k2 or k3), never both (row 2); the score is clipped, then reduced by
  //    the penalty for a missing EOS, then placed at the last token (row 3).
  const tokenRewards_B_T = rewardsOf(run, passes, { rollout, scored, settings, klCoef });
  const rewards_B_T = settings.whitenRewards ? rl.whitenRewards(tokenRewards_B_T) : tokenRewards_B_T;
  const { gamma } = settings;
  const lambda = lambdaInForce(run, iteration);
  // Returns are the raw advantages + values, computed before whitening (rows 4 and 5).
  const estimates = rl.gae({ rewards: rewards_B_T, values: slowValues_B_T, gamma, lambda });
  // Advantages are whitened over all tokens of the rollout, never of a minibatch (row 6).
  const advantages_B_T = settings.whitenAdvantages ? rl.whiten(estimates.advantages).rows : estimates.advantages;
  stopwatch.lap("advantages");

  const made = {
    ...{ rollout, scored, passes, settings, klCoef, rewards: rewards_B_T },
    ...{ values: values_B_T, returns: estimates.returns },
    ...{ advantagesRaw: estimates.advantages, advantages: advantages_B_T },
  };
  const distance = slow === null ? undefined : { "value/slow_distance": rl.slowDistance(values_B_T, slowValues_B_T) };
  return gathered(made, distance);
}

/** PPO-clip or PPO-penalty, the entropy bonus and, if it is not in the reward, the KL to the reference (rows 7, 8, 9 and 11). */
function objective(batch: PolicyBatch, now: InForce, penalty: Penalty | null = null) {
  const { settings, clipLow, clipHigh, klCoef } = now;
  const { dualClip, entropyCoef, temperature } = settings;
  const kl = settings.kl.in === "loss" ? { coef: klCoef, estimator: settings.kl.estimator } : null;
  const extras = { entropyCoef, kl, temperature };
  return penalty === null
    ? clippedPolicyLoss(batch, { clipLow, clipHigh, dualClip, ...extras })
    : penaltyPolicyLoss(batch, { penalty, ...extras });
}

/** Phase 5: epochs over reshuffled minibatches, each one step of the policy and one of the critic. */
async function update(run: OnlineRun, iteration: number, experience: Experience): Promise<Outcome> {
  const penalty = await openPenalty(run, iteration);
  const outcome = await descend(run, iteration, { experience, penalty });
  await closePenalty(run, penalty);
  return outcome;
}

async function descend(
  run: OnlineRun,
  iteration: number,
  { experience, penalty }: { readonly experience: Experience; readonly penalty: Penalty | null },
): Promise<Outcome> {
  const { engine, models } = run;
  const model = models.policy.id;
  const critic = models.critic!;
  const now = inForce(run, iteration);
  const { settings, policyRate, criticRate, valueUpdates } = now;
  const { explainedVariance } = rl.explainedVariance(
    experience.record.returns!.flat(),
    experience.record.values!.flat(),
  );
  const factors = layerFactors(run, now);
  const outcome = emptyOutcome();
  // The critic learns from rollouts of the starting policy first.
  const warming = iteration < settings.criticWarmup;

  for (const { epoch, step, minibatch } of minibatchesOf(run, iteration, { settings, experience })) {
    const lossOf = (batch: PolicyBatch) => objective(batch, now, penalty);
    const policy = await policyGradient({ engine, model, minibatch, objective: lossOf });
    // At its first step nothing has been learned from this rollout: every ratio is 1 (row 21).
    if (step === 0) outcome.firstRatioDeviation = policy.statistics.ratioMaxDeviation;
    if (await endsOnKl(run, { epoch, policy }, { now, outcome })) break;
    const value = await valueGradient(run, critic, minibatch);

    // The controller sees the step before it reaches the weights.
    const pending = { iteration, epoch, step, minibatch, policy, critic: value, explainedVariance };
    const orders = await consultBeforeStep(run, pending, { now, outcome });
    if (orders === null) break;
    const masked = orders.mask && !orders.skip;
    if (warming && !masked) await engine.zeroGrad(model);
    if (masked) {
      // The policy's gradient is dropped and the value's stays; on a shared trunk both were dropped.
      await engine.zeroGrad(model);
      if (critic.shared) await valueGradient(run, critic, minibatch);
    }

    // Clip to the global norm and step (rows 15 and 16); with a shared trunk the two gradients are one.
    const trunk = critic.shared ? [policy.gradient, value.gradient] : [policy.gradient];
    const ofPolicy = { settings, learningRate: policyRate, rateFactors: factors.policy, gradients: trunk };
    const idle = orders.skip || warming || (masked && !critic.shared);
    const policyStep = idle ? null : await takeStep(engine, model, ofPolicy);
    const ofCritic = { settings, learningRate: criticRate, rateFactors: factors.critic, gradients: [value.gradient] };
    const criticStep = orders.skip || critic.shared ? null : await takeStep(engine, critic.id, ofCritic);
    await followCritic(run, critic, { step: critic.shared ? policyStep : criticStep, now });
    // Extra passes for a critic that lags, over the same minibatch.
    for (let extra = 1; extra < valueUpdates && criticStep !== null; extra++) {
      const { gradient } = await valueGradient(run, critic, minibatch);
      const taken = await takeStep(engine, critic.id, { ...ofCritic, gradients: [gradient] });
      await followCritic(run, critic, { step: taken, now });
    }

    const { values } = value;
    const { oldValues = [], returns = [] } = minibatch;
    const { clipped } = valueTerms({ values, oldValues, returns, valueClip: settings.valueClip });
    outcome.minibatches.push({
      epoch,
      statistics: policy.statistics,
      policyLoss: policy.gradient.loss,
      valueLoss: value.loss,
      valueClipFraction: rl.mean(clipped.flat().map(Number)),
      valueChange: rl.slowDistance(values, oldValues),
      policyGradNorm: normOf(policyStep, policy.gradient),
      criticGradNorm: critic.shared ? null : normOf(criticStep, value.gradient),
      skipped: orders.skip || policyStep?.skipped === true || criticStep?.skipped === true,
      policyLayers: policyStep?.layers,
      criticLayers: criticStep?.layers,
      masked,
    });
  }
  return outcome;
}
