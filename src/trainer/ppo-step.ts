/** One minibatch of PPO's update: what it is made of, and the gradients of policy and critic on it. */

import type { Engine, ForwardBackwardResult, Sequence } from "../engine/engine.ts";
import { tokensOfPass } from "../engine/pass-size.ts";
import { clippedPolicyLoss, updateStatistics } from "../objectives/clipped-policy.ts";
import { clippedValueLoss } from "../objectives/clipped-value.ts";
import { type Penalty, penaltyPolicyLoss } from "../objectives/penalty-policy.ts";
import * as rl from "../rl/index.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import type { RolloutRecord } from "../signals/index.ts";
import { accumulate, inOrder, microBatches, take } from "./microbatches.ts";
import { nonfiniteCount, type StepTaken } from "./optimizer-step.ts";
import type { Ppo } from "./ppo.ts";
import type { PpoModels } from "./ppo-models.ts";

export interface Minibatch {
  readonly sequences: readonly Sequence[];
  /** Of the mean over the whole step: micro-batches of sums add up to it exactly (row 12). */
  readonly weights: number[][];
  readonly oldLogprobs: rl.Rows;
  readonly refLogprobs: rl.Rows;
  readonly advantages: rl.Rows;
  readonly oldValues: rl.Rows;
  readonly returns: rl.Rows;
  /** Its sequences as micro-batches, by index. */
  readonly parts: readonly (readonly number[])[];
}

/** The sequences `rows` of a rollout. */
export function minibatchOf(
  { sequences, record }: { sequences: readonly Sequence[]; record: RolloutRecord },
  rows: readonly number[],
  {
    aggregation,
    microBatch,
    vocabularySize,
  }: Pick<PpoConfig, "aggregation" | "microBatch"> & { readonly vocabularySize: number },
): Minibatch {
  const of = <T>(all: readonly T[]) => take(all, rows);
  const chosen = of(sequences);
  const oldLogprobs = of(record.logprobs);
  return {
    sequences: chosen,
    weights: rl.tokenWeights({ lengths: oldLogprobs.map((row) => row.length), aggregation }),
    oldLogprobs,
    refLogprobs: of(record.refLogprobs),
    advantages: of(record.advantages),
    oldValues: of(record.values),
    returns: of(record.returns),
    parts: microBatches(
      chosen.map(({ tokens }) => tokens.length),
      microBatch,
      tokensOfPass(vocabularySize),
    ),
  };
}

export interface PolicyGradient {
  readonly passes: readonly ForwardBackwardResult[];
  /** Of the policy as it is now. */
  readonly logprobs: number[][];
  readonly statistics: rl.UpdateStatistics;
}

/** The policy's gradient: PPO-clip or PPO-penalty, the entropy bonus and, where it is not in the reward, the KL (rows 7, 8, 9, 11). */
export async function policyGradient(options: {
  readonly engine: Engine;
  readonly models: PpoModels;
  readonly minibatch: Minibatch;
  readonly settings: PpoConfig;
  readonly clipLow: number;
  readonly clipHigh: number;
  readonly klCoef: number;
  readonly penalty?: Penalty | null;
}): Promise<PolicyGradient> {
  const { engine, models, minibatch, settings, clipLow, clipHigh, klCoef, penalty = null } = options;
  const { sequences, weights, oldLogprobs, refLogprobs, advantages, parts } = minibatch;
  const { dualClip, entropyCoef, temperature } = settings;
  const clip = { clipLow, clipHigh, dualClip };
  const kl = settings.kl.in === "loss" ? { coef: klCoef, estimator: settings.kl.estimator } : null;
  const extras = { entropyCoef, kl, temperature };
  const passes = await accumulate(parts, (part) => {
    const batch = {
      sequences: take(sequences, part),
      weights: take(weights, part),
      oldLogprobs: take(oldLogprobs, part),
      advantages: take(advantages, part),
      ...(kl && { refLogprobs: take(refLogprobs, part) }),
    };
    const loss =
      penalty === null
        ? clippedPolicyLoss(batch, { ...clip, ...extras })
        : penaltyPolicyLoss(batch, { penalty, ...extras });
    return engine.forwardBackward(models.policy.id, loss);
  });
  const logprobs = inOrder(parts, passes, "logprobs");
  // With a penalty nothing is clipped, and nothing counted as such.
  const bounds = penalty === null ? clip : { clipLow: 1, clipHigh: Infinity, dualClip: null };
  const statistics = updateStatistics({ logprobs, oldLogprobs, advantages, ...bounds });
  if (!penalty?.oldModel) return { passes, logprobs, statistics };
  const fullKlMean = rl.mean(inOrder(parts, passes, "penaltyKl").flat());
  return { passes, logprobs, statistics: { ...statistics, fullKlMean } };
}

/** Largest |ratio - 1| on the first micro-batch: 0 but for rounding where nothing was learned from the rollout (row 21). */
export function firstRatioDeviation(
  { oldLogprobs, advantages, parts }: Minibatch,
  logprobs: rl.Rows,
  { clipLow, clipHigh }: { readonly clipLow: number; readonly clipHigh: number },
): number {
  const first = <T>(rows: readonly T[]) => take(rows, parts[0]!);
  const rows = { logprobs: first(logprobs), oldLogprobs: first(oldLogprobs), advantages: first(advantages) };
  return updateStatistics({ ...rows, clipLow, clipHigh, dualClip: null }).ratioMaxDeviation;
}

/** The critic's gradient: the clipped value loss, around the values at rollout (row 10). */
export async function valueGradient(options: {
  readonly engine: Engine;
  readonly models: PpoModels;
  readonly minibatch: Minibatch;
  readonly settings: PpoConfig;
  /** A fault: the loss counts for nothing. */
  readonly frozen?: boolean;
}): Promise<{ readonly passes: readonly ForwardBackwardResult[]; readonly values: number[][]; readonly loss: number }> {
  const { engine, models, minibatch, settings, frozen = false } = options;
  const { sequences, weights, returns, oldValues, parts } = minibatch;
  // With a trunk of its own the critic has an optimizer of its own, in which Adam cancels a coefficient (row 10).
  const coef = frozen ? 0 : models.shared ? (settings.valueCoef ?? 1) : 1;
  const passes = await accumulate(parts, (part) => {
    const batch = {
      sequences: take(sequences, part),
      weights: take(weights, part).map((row) => row.map((weight) => weight * coef)),
      returns: take(returns, part),
      oldValues: take(oldValues, part),
    };
    return engine.forwardBackward(models.critic, clippedValueLoss(batch, settings));
  });
  return {
    passes,
    values: inOrder(parts, passes, "values"),
    loss: rl.sum(passes.map(({ loss }) => loss)) / (coef || 1),
  };
}

/** Of a step that was not taken there is a norm only where it is not finite. */
export function normOf(step: StepTaken | null, passes: readonly ForwardBackwardResult[]): number | null {
  return step?.gradNorm ?? (nonfiniteCount(passes) > 0 ? Number.NaN : null);
}

/** The minibatch's policy gradient is dropped, its value update stays: it leaves numerator and denominator of row 12. */
export async function maskPolicy(
  { context, models, loop }: Pick<Ppo, "context" | "models" | "loop">,
  minibatch: Minibatch,
): Promise<void> {
  const { engine } = context;
  await engine.zeroGrad(models.policy.id);
  // On a shared trunk the value's gradient went with it.
  if (models.shared) await valueGradient({ engine, models, minibatch, settings: loop.settings });
}
