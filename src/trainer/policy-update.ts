/** The policy's side of an update, which every algorithm shares: minibatches, their gradient, the controller's orders, the step. */

import type { Orders } from "../control/orders.ts";
import type { Engine, ForwardBackwardResult, ModelId, PassOptions, PolicyLoss, Sequence } from "../engine/engine.ts";
import { updateStatistics } from "../objectives/clipped-policy.ts";
import type { PolicyBatch } from "../objectives/policy-extras.ts";
import * as rl from "../rl/index.ts";
import { signalsOf } from "../settings/algorithm-table.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import {
  type IterationRecord,
  type MinibatchRecord,
  stronglyNegativeErrors,
  stronglyNegativeShare,
} from "../signals/index.ts";
import type { Alert } from "../types/alerts.ts";
import { random } from "../util/random.ts";
import { take } from "../util/take.ts";
import type { Experience, OnlineRun } from "./online-run.ts";
import { reportSkip, type StepTaken, takeStep } from "./optimizer-step.ts";
import type { Rollout } from "./rollout.ts";
import type { ProgressPart } from "./run-types.ts";
import { type InForce, inForce, layerFactors } from "./steering.ts";

/** The result of an update. */
export interface Outcome {
  readonly minibatches: MinibatchRecord[];
  endedBy: IterationRecord["endedBy"];
  /** Largest |ratio - 1| before the first step (docs/PPO.md row 21). */
  firstRatioDeviation: number;
  /** The alert for which the controller stopped the update. */
  stop: Alert | null;
  /** Measured after the last step; undefined if no step was taken, or if the update ended on a measurement after its last step. */
  after?: rl.UpdateStatistics | undefined;
}

export function emptyOutcome(): Outcome {
  return { minibatches: [], endedBy: undefined, firstRatioDeviation: Number.NaN, stop: null };
}

export interface Minibatch {
  readonly sequences: readonly Sequence[];
  /** Weights for the mean over the whole step: the engine's passes, each a sum, add up to it exactly (docs/PPO.md row 12). */
  readonly weights: number[][];
  readonly oldLogprobs: rl.Rows;
  readonly refLogprobs: rl.Rows;
  readonly advantages: rl.Rows;
  /** Values at rollout, and returns; both absent without a critic. */
  readonly oldValues?: rl.Rows;
  readonly returns?: rl.Rows;
  /** Sequences in a pass of the engine; 0 lets the engine choose. */
  readonly microBatch: number;
  /** Called before each of the engine's passes over it. */
  readonly beforePass?: PassOptions["beforePass"];
}

/** The sequences `rows` of a rollout. */
export function minibatchOf(
  { rollout, record }: Pick<Experience, "record"> & { readonly rollout: Pick<Rollout, "sequences"> },
  rows: readonly number[],
  { aggregation, microBatch }: Pick<PpoConfig, "aggregation" | "microBatch">,
): Minibatch {
  const of = <T>(all: readonly T[]) => take(all, rows);
  const oldLogprobs = of(record.logprobs);
  return {
    sequences: of(rollout.sequences),
    weights: rl.tokenWeights({ lengths: oldLogprobs.map((row) => row.length), aggregation }),
    oldLogprobs,
    refLogprobs: of(record.refLogprobs),
    advantages: of(record.advantages),
    ...(record.values && { oldValues: of(record.values) }),
    ...(record.returns && { returns: of(record.returns) }),
    microBatch,
  };
}

/** The indices of the rollout's sequences, as the minibatches of an epoch. */
export function minibatchRows(
  { seed }: Pick<OnlineRun, "seed">,
  { iteration, epoch }: { readonly iteration: number; readonly epoch: number },
  { sequences: B, minibatches }: Pick<PpoConfig, "sequences" | "minibatches">,
): number[][] {
  const order = random(seed, "minibatches", iteration, epoch).shuffle(Array.from({ length: B }, (_, b) => b));
  return Array.from({ length: minibatches }, (_, m) => order.slice((m * B) / minibatches, ((m + 1) * B) / minibatches));
}

/** Epochs over reshuffled minibatches: every step of an update. */
export function* minibatchesOf(
  run: OnlineRun,
  iteration: number,
  { settings, experience }: { readonly settings: PpoConfig; readonly experience: Experience },
) {
  const { epochs, minibatches } = settings;
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const [m, rows] of minibatchRows(run, { iteration, epoch }, settings).entries()) {
      const step = epoch * minibatches + m;
      const tell = (part?: ProgressPart) => run.tell(`update ${step + 1}/${epochs * minibatches}`, part);
      tell();
      const beforePass = (done: number, of: number) => tell({ done, of, unit: "pass" });
      yield { epoch, step, minibatch: { ...minibatchOf(experience, rows, settings), beforePass } };
    }
  }
}

export interface PolicyGradient {
  readonly gradient: ForwardBackwardResult;
  /** The current policy's log-probabilities. */
  readonly logprobs: number[][];
  readonly statistics: rl.UpdateStatistics;
}

/** Accumulates the gradient of an algorithm's objective on a minibatch. */
export async function policyGradient(options: {
  readonly engine: Engine;
  readonly model: ModelId;
  readonly minibatch: Minibatch;
  readonly objective: (batch: PolicyBatch) => PolicyLoss;
  /** Parts of the minibatch, by index, whose own gradients' norms are requested. */
  readonly parts?: readonly (readonly number[])[];
}): Promise<PolicyGradient> {
  const { engine, model, minibatch, objective, parts } = options;
  const { sequences, weights, oldLogprobs, refLogprobs, advantages, microBatch, beforePass } = minibatch;
  const loss = objective({ sequences, weights, oldLogprobs, advantages, refLogprobs });
  const gradient = await engine.forwardBackward(model, loss, { microBatch, beforePass, ...(parts && { parts }) });
  const logprobs = gradient.logprobs!;
  const { clipLow, clipHigh, dualClip, penalty } = loss.config;
  const statistics = updateStatistics({ logprobs, oldLogprobs, advantages, clipLow, clipHigh, dualClip });
  if (!penalty?.oldModel) return { gradient, logprobs, statistics };
  return { gradient, logprobs, statistics: { ...statistics, fullKlMean: rl.mean(gradient.penaltyKl!.flat()) } };
}

/** What is known about a step before it is taken. */
export interface PendingStep {
  readonly iteration: number;
  readonly epoch: number;
  readonly step: number;
  readonly minibatch: Minibatch;
  readonly policy: PolicyGradient;
  /** The critic's gradient and values; null without a critic. */
  readonly critic: { readonly gradient: ForwardBackwardResult; readonly values: number[][] } | null;
  /** Share of the returns' variance that the critic explained before the update; absent without a critic. */
  readonly explainedVariance?: number | undefined;
}

/**
 * Shows the controller a step before it reaches the weights, and drops the gradients that it orders to drop. Returns null if the update ends here:
 * `outcome` then says why.
 */
export async function consultBeforeStep(
  run: OnlineRun,
  { iteration, epoch, step, minibatch, policy, critic, explainedVariance }: PendingStep,
  { now, outcome }: { readonly now: InForce; readonly outcome: Outcome },
): Promise<Orders | null> {
  const { context, state, control } = run;
  const { statistics, logprobs } = policy;
  const nonfinite = policy.gradient.nonFinite + (critic?.gradient.nonFinite ?? 0);
  state.skippedInARow = nonfinite > 0 ? state.skippedInARow + 1 : 0;
  const { firstRatioTolerance } = (await run.engine.info()).capabilities;
  const signals = signalsOf(now.settings.algorithm, {
    "step/approx_kl": statistics.approxKlMean,
    "step/approx_kl_rest": statistics.approxKlRest,
    "step/strongly_negative_share": stronglyNegativeShare(minibatch.advantages),
    "step/strongly_negative_errors": stronglyNegativeErrors(minibatch.advantages),
    ...(explainedVariance !== undefined && { "step/explained_variance": explainedVariance }),
    "step/nonfinite": nonfinite,
    "step/nonfinite_in_a_row": state.skippedInARow,
    ...(step === 0 && {
      "step/first_ratio_deviation": outcome.firstRatioDeviation,
      "step/first_ratio_to_tolerance": outcome.firstRatioDeviation / firstRatioTolerance,
    }),
  });
  const orders = control.beforeStep(iteration, step, signals, now.base);
  outcome.stop = orders.stop ?? orders.end;
  const content = { ...minibatch, logprobs, ...(critic && { values: critic.values }) };
  if (nonfinite > 0) reportSkip(context, { iteration, step, inARow: state.skippedInARow, content });
  if (outcome.stop !== null || orders.endEpochs) {
    await dropGradients(run);
    if (orders.endEpochs) outcome.endedBy = { epoch, statistics };
    return null;
  }
  if (orders.skip) await dropGradients(run);
  return orders;
}

/**
 * Measures how far the last step took the policy, by one more pass over the last epoch's minibatches, or over half of them if there is only one epoch:
 * every other measurement is made before a step (docs/PPO.md row 13). The run itself is not affected.
 */
export async function measureLastStep(
  run: OnlineRun,
  iteration: number,
  { experience, outcome }: { readonly experience: Experience; readonly outcome: Outcome },
): Promise<void> {
  const last = outcome.minibatches.at(-1);
  const stepped = outcome.minibatches.some(({ masked, skipped }) => !masked && !skipped);
  if (last === undefined || !stepped || outcome.endedBy !== undefined || outcome.stop !== null) return;
  const { context, models, tell } = run;
  tell("after the last step");
  const { settings, clipLow, clipHigh } = inForce(run, iteration);
  const { temperature, dualClip } = settings;
  const parts = minibatchRows(run, { iteration, epoch: last.epoch }, settings);
  const measured: rl.UpdateStatistics[] = [];
  for (const rows of last.epoch > 0 ? parts : halfOf(parts)) {
    const { sequences, oldLogprobs, advantages, microBatch } = minibatchOf(experience, rows, settings);
    // No fault wraps the context's engine.
    const request = { sequences, outputs: ["logprobs"] as const, temperature };
    const { logprobs } = await context.engine.forward(models.policy.id, request, { microBatch });
    measured.push(updateStatistics({ logprobs, oldLogprobs, advantages, clipLow, clipHigh, dualClip }));
  }
  outcome.after = rl.mergeUpdateStatistics(measured);
}

/** The first half of the minibatches, or of the sequences of the only one. */
function halfOf(parts: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const [only] = parts;
  if (parts.length === 1) return [only!.slice(0, Math.ceil(only!.length / 2))];
  return parts.slice(0, Math.ceil(parts.length / 2));
}

/**
 * Whether the policy has moved as far as `stopEpochsAtKl` allows, so that no further step is taken (docs/PPO.md row 13; Spinning Up stops here too).
 */
export async function endsOnKl(
  run: OnlineRun,
  { epoch, policy }: Pick<PendingStep, "epoch" | "policy">,
  { now, outcome }: { readonly now: InForce; readonly outcome: Outcome },
): Promise<boolean> {
  const { stopEpochsAtKl } = now.settings;
  const { statistics } = policy;
  if (stopEpochsAtKl === null || statistics.approxKlMean <= stopEpochsAtKl) return false;
  await dropGradients(run);
  outcome.endedBy = { epoch, statistics };
  return true;
}

export async function dropGradients({ engine, models }: Pick<OnlineRun, "engine" | "models">): Promise<void> {
  await engine.zeroGrad(models.policy.id);
  if (models.critic && !models.critic.shared) await engine.zeroGrad(models.critic.id);
}

/** The norm of a step's gradient; a skipped step has one only if it is not finite. */
export function normOf(step: StepTaken | null, { nonFinite }: ForwardBackwardResult): number | null {
  return step?.gradNorm ?? (nonFinite > 0 ? Number.NaN : null);
}

/** The update of an algorithm in which only the policy learns: one step per minibatch. */
export async function updatePolicy(
  run: OnlineRun,
  iteration: number,
  options: {
    readonly experience: Experience;
    readonly objective: (batch: PolicyBatch, now: InForce) => PolicyLoss;
    /** Epochs, instead of the configuration's. */
    readonly epochs?: number;
  },
): Promise<Outcome> {
  const { engine, models } = run;
  const model = models.policy.id;
  const now = inForce(run, iteration);
  const { experience, epochs = now.settings.epochs } = options;
  const settings = { ...now.settings, epochs };
  const objective = (batch: PolicyBatch) => options.objective(batch, now);
  const rateFactors = layerFactors(run, now).policy;
  const outcome = emptyOutcome();
  for (const { epoch, step, minibatch } of minibatchesOf(run, iteration, { settings, experience })) {
    const policy = await policyGradient({ engine, model, minibatch, objective });
    // At its first step nothing has been learned from this rollout: every ratio is 1 (docs/PPO.md row 21).
    if (step === 0) outcome.firstRatioDeviation = policy.statistics.ratioMaxDeviation;
    if (await endsOnKl(run, { epoch, policy }, { now, outcome })) break;
    // The controller sees the step before it reaches the weights.
    const pending = { iteration, epoch, step, minibatch, policy, critic: null };
    const orders = await consultBeforeStep(run, pending, { now, outcome });
    if (orders === null) break;
    const masked = orders.mask && !orders.skip;
    if (masked) await dropGradients(run);
    // Clip to the global norm and step (docs/PPO.md rows 15 and 16).
    const { gradient } = policy;
    const taken =
      orders.skip || masked
        ? null
        : await takeStep(engine, model, { settings, learningRate: now.policyRate, rateFactors, gradients: [gradient] });
    outcome.minibatches.push({
      epoch,
      statistics: policy.statistics,
      policyLoss: gradient.loss,
      policyGradNorm: normOf(taken, gradient),
      criticGradNorm: null,
      skipped: orders.skip || taken?.skipped === true,
      policyLayers: taken?.layers,
      masked,
    });
  }
  return outcome;
}
