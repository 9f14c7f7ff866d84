/** The reward model: Bradley and Terry's loss on preference pairs, then scores with mean 0 and variance 1 (docs/PPO.md row 18). */

import { type EncodedSequence, stepIndices } from "../data/index.ts";
import type { ForwardBackwardResult, ModelId } from "../engine/engine.ts";
import { pairwiseLoss, pairwiseRequest } from "../objectives/pairwise.ts";
import { computeNormalisation, type Normalisation, writeNormalisation } from "../reward/index.ts";
import { learningRateAt, mean, shareInterval95 } from "../rl/index.ts";
import type { RewardModelConfig } from "../settings/config-schema.ts";
import type { MetricValues } from "../types/records.ts";
import { random } from "../util/random.ts";
import { take } from "../util/take.ts";
import { reportSkip, takeStep } from "./optimizer-step.ts";
import { type Prompt, rollOut } from "./rollout.ts";
import type { StageResult } from "./run-types.ts";
import type { StageContext } from "./stage-context.ts";
import { findCheckpoint, StageLoop } from "./stage-loop.ts";
import { loadTrunk, type ModelSource, openModel } from "./stage-models.ts";
import { Stopwatch } from "./stopwatch.ts";

export interface Pair {
  readonly chosen: EncodedSequence;
  readonly rejected: EncodedSequence;
}

/** The policy whose samples determine the scores' mean and variance: the one that PPO will start from. */
export interface NormalisationSource {
  readonly policy: string;
  readonly prompts: readonly Prompt[];
  readonly maxNewTokens: number;
  readonly temperature: number;
}

export interface RewardInputs {
  readonly settings: RewardModelConfig;
  /** Where the trunk starts from; its scalar head is always new (row 19). */
  readonly source: ModelSource;
  readonly train: readonly Pair[];
  /** Held-out pairs, never trained on. If empty, nothing is measured on them. */
  readonly heldOut: readonly Pair[];
  /** The policy for the normalisation; null if there is none: the responses of the pairs replace its samples. */
  readonly normalisation: NormalisationSource | null;
}

interface RewardState {
  /** Consecutive skipped optimizer steps. */
  skippedInARow: number;
}

/** Trains a reward model, from its newest checkpoint if the context says so. */
export async function trainReward(context: StageContext, inputs: RewardInputs): Promise<StageResult> {
  const { engine, recorder, config } = context;
  const { seed } = config;
  const { train, heldOut } = inputs;
  const { steps, margin } = inputs.settings;

  // 1. The model, and where to continue.
  const checkpoint = await findCheckpoint<RewardState>(context);
  const open = { source: inputs.source, checkpoint, head: "scalar", scalarInit: "normal" } as const;
  const { id: model } = await openModel(context, open);
  const state: RewardState = checkpoint?.state.own ?? { skippedInARow: 0 };
  const loop = new StageLoop<RewardModelConfig, RewardState>(context, {
    settings: inputs.settings,
    steps,
    unit: "step",
    checkpoint,
    snapshot: () => ({ own: state, models: { model } }),
  });

  for (let step = loop.first; step < steps; step++) {
    const settings = await loop.begin(step);
    const stopwatch = await Stopwatch.start(engine);

    // 2. The step's gradient: the mean over its pairs, however the engine splits passes.
    const indices = stepIndices({ rows: train.length, batchSize: settings.batchSize, seed, step });
    const pairs = take(train, indices);
    let gradient: ForwardBackwardResult;
    let measured: MetricValues = {};
    try {
      if (step % settings.evaluateEvery === 0) measured = await measure(step, settings);
      stopwatch.lap("evaluation");
      const loss = pairwiseRequest(pairs, { margin, pairsOfStep: pairs.length });
      gradient = await engine.forwardBackward(model, loss, loop.passes(step, settings));
    } catch (error) {
      return await loop.leave(step, error);
    }

    // 3. Clip, step, record.
    const { schedule, warmup, stepFactor, stepEvery } = settings;
    const shape = { schedule, warmup, stepFactor, stepEvery };
    const learningRate = learningRateAt({ base: settings.learningRate, ...shape, step, steps });
    const { gradNorm, skipped } = await takeStep(engine, model, { settings, learningRate, gradients: [gradient] });
    stopwatch.lap("update");
    state.skippedInARow = skipped ? state.skippedInARow + 1 : 0;
    const failure = skipped
      ? reportSkip(context, { iteration: step, step: 0, inARow: state.skippedInARow, content: { pairs } })
      : null;
    const chosen = gradient.chosenScores!;
    const rejected = gradient.rejectedScores!;
    const values: MetricValues = {
      "reward_model/loss": gradient.loss,
      // Ties count as wrong (row 18).
      "reward_model/accuracy": mean(chosen.map((score, i) => Number(score > rejected[i]!))),
      "reward_model/score_gap": mean(chosen) - mean(rejected),
      ...measured,
      ...(gradNorm !== null && { "gradient/norm": gradNorm }),
      "update/steps_skipped": Number(skipped),
      "settings/learning_rate": learningRate,
      ...(await stopwatch.values()),
      "time/pairs_per_s": pairs.length / stopwatch.secondsOf("update"),
    };
    recorder.metrics("reward", step, values);
    await loop.end(step + 1, { ...loop.values, ...values });
    if (failure) await loop.save(step + 1);
    if (failure) throw failure;
  }

  // 4. The final measurement on held-out pairs, and the normalisation of the model.
  let normalisation: Normalisation;
  try {
    const last = await measure(steps, loop.settings);
    normalisation = await normalise();
    const { mean: center, standardDeviation } = normalisation;
    const scale = { "reward_model/raw_mean": center, "reward_model/raw_std": standardDeviation };
    recorder.metrics("reward", steps, { ...last, ...scale });
    loop.values = { ...loop.values, ...last, ...scale };
  } catch (error) {
    return await loop.leave(steps, error);
  }
  const result = await loop.finish({
    model,
    heads: ["scalar"],
    extra: (folder) => writeNormalisation(folder, normalisation),
  });
  await engine.disposeModel(model);
  return result;

  async function scoresOf(sequences: readonly EncodedSequence[], step: number, message: string): Promise<number[]> {
    const passes = loop.passes(step, { microBatch: loop.settings.microBatch, message });
    return (await engine.forward(model, { sequences, outputs: ["score"] }, passes)).scores;
  }

  async function measure(step: number, { margin: wanted }: RewardModelConfig): Promise<MetricValues> {
    if (heldOut.length === 0) return {};
    const pairs = heldOut.flatMap(({ chosen, rejected }) => [chosen, rejected]);
    const scores = await scoresOf(pairs, step, "held-out pairs");
    const chosen = scores.filter((_, i) => i % 2 === 0);
    const rejected = scores.filter((_, i) => i % 2 === 1);
    const { loss, accuracy } = pairwiseLoss({ chosen, rejected, margins: chosen.map(() => wanted) });
    // Pairs with the same prompt are alike, and count for less than pairs with different prompts.
    const { low, high } = shareInterval95(
      chosen.map((score, i) => score > rejected[i]!),
      heldOut.map((pair) => String(pair.chosen.tokens.slice(0, pair.chosen.start))),
    );
    return {
      "reward_model/heldout_loss": loss,
      "reward_model/heldout_accuracy": accuracy,
      "reward_model/heldout_accuracy_low": low,
      "reward_model/heldout_accuracy_high": high,
    };
  }

  async function normalise(): Promise<Normalisation> {
    const { normalisationSamples: count } = loop.settings;
    const rows = stepIndices({
      rows: train.length,
      batchSize: Math.min(Math.max(count, 1), train.length),
      seed,
      step: 0,
    });
    const pairs = take(train, rows).flatMap(({ chosen, rejected }) => [chosen, rejected]);
    const trainingScores = await scoresOf(pairs, steps, "normalising");
    const scores = count === 0 ? [] : await samplesScores(count);
    const { normalisation: found, warning } = computeNormalisation(scores ?? trainingScores, { trainingScores });
    if (warning !== null) loop.event("warning", steps, warning);
    return found;
  }

  /** Raw scores of samples of the policy; null if there is none. */
  async function samplesScores(count: number): Promise<number[] | null> {
    const { normalisation: from } = inputs;
    if (from === null) return null;
    const policy: ModelId = (
      await loadTrunk(engine, from.policy, { tokenizer: context.tokenizer, heads: ["lm"], seed, frozen: true })
    ).id;
    const chosen = stepIndices({ rows: from.prompts.length, batchSize: count, seed, step: 0 });
    const { sequences } = await rollOut({
      engine,
      tokenizer: context.tokenizer,
      model: policy,
      prompts: take(from.prompts, chosen),
      maxNewTokens: from.maxNewTokens,
      temperature: from.temperature,
      topK: 0,
      topP: 1,
      seed: random(seed, "normalisation").uint32(),
      onProgress: (done, part) => {
        loop.poll();
        loop.progress(steps, `normalising: sample ${done}/${count}`, part);
      },
    });
    await engine.disposeModel(policy);
    return scoresOf(
      sequences.map(({ tokens, start }) => ({ tokens: [...tokens], start })),
      steps,
      "normalising",
    );
  }
}
