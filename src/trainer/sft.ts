/** Supervised fine-tuning: the cross-entropy of demonstrations' answers and of plain texts; prompt tokens carry no loss. */

import { type EncodedSequence, stepIndices } from "../data/index.ts";
import type { ForwardBackwardResult, ModelId, PassOptions } from "../engine/engine.ts";
import { crossEntropyLoss } from "../objectives/cross-entropy.ts";
import { learningRateAt, sum, tokenWeights } from "../rl/index.ts";
import type { SftConfig } from "../settings/config-schema.ts";
import type { MetricValues } from "../types/records.ts";
import { take } from "../util/take.ts";
import { reportSkip, takeStep } from "./optimizer-step.ts";
import type { StageResult } from "./run-types.ts";
import type { StageContext } from "./stage-context.ts";
import { findCheckpoint, StageLoop } from "./stage-loop.ts";
import { type ModelSource, openModel } from "./stage-models.ts";
import { Stopwatch } from "./stopwatch.ts";

export interface SftInputs {
  readonly settings: SftConfig;
  /** The model to start from. */
  readonly source: ModelSource;
  readonly train: readonly EncodedSequence[];
  /** Held-out sequences, never trained on. If empty, nothing is measured on them. */
  readonly heldOut: readonly EncodedSequence[];
}

interface SftState {
  /** Consecutive skipped optimizer steps. */
  skippedInARow: number;
}

/** Trains a language model, from its newest checkpoint if the context says so. */
export async function trainSft(context: StageContext, inputs: SftInputs): Promise<StageResult> {
  const { engine, recorder, config } = context;
  const { seed } = config;
  const { train, heldOut } = inputs;
  const { steps } = inputs.settings;

  // 1. The model, and where to continue.
  const checkpoint = await findCheckpoint<SftState>(context);
  const { id: model } = await openModel(context, {
    source: inputs.source,
    checkpoint,
    head: "lm",
    scalarInit: "zero",
  });
  const state: SftState = checkpoint?.state.own ?? { skippedInARow: 0 };
  const loop = new StageLoop<SftConfig, SftState>(context, {
    settings: inputs.settings,
    steps,
    unit: "step",
    checkpoint,
    snapshot: () => ({ own: state, models: { model } }),
  });
  const lengths = train.map(({ tokens }) => tokens.length);

  for (let step = loop.first; step < steps; step++) {
    const settings = await loop.begin(step);
    const stopwatch = await Stopwatch.start(engine);

    // 2. The step's gradient: the mean over all completion tokens of the step, however the engine splits passes (row 12).
    const indices = stepIndices({ rows: train.length, batchSize: settings.batchSize, seed, step });
    const sequences = take(train, indices);
    const weights = tokenWeights({ mask: sequences.map(maskOf), aggregation: "token-mean" });
    let gradient: ForwardBackwardResult;
    let measured: MetricValues = {};
    try {
      if (step % settings.evaluateEvery === 0) measured = await heldOutLoss(step, settings);
      stopwatch.lap("evaluation");
      const passes = loop.passes(step, settings);
      gradient = await engine.forwardBackward(model, crossEntropyLoss({ sequences, weights }), passes);
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
    const content = { sequences, weights };
    const failure = skipped
      ? reportSkip(context, { iteration: step, step: 0, inARow: state.skippedInARow, content })
      : null;
    const tokens = sum(take(lengths, indices));
    const values: MetricValues = {
      "sft/loss": gradient.loss,
      ...measured,
      ...(gradNorm !== null && { "gradient/norm": gradNorm }),
      "update/steps_skipped": Number(skipped),
      "settings/learning_rate": learningRate,
      ...(await stopwatch.values()),
      "time/tokens_per_s": tokens / stopwatch.secondsOf("update"),
    };
    recorder.metrics("sft", step, values);
    await loop.end(step + 1, { ...loop.values, ...values });
    if (failure) await loop.save(step + 1);
    if (failure) throw failure;
  }

  // 4. The final measurement on held-out rows.
  try {
    const last = await heldOutLoss(steps, loop.settings);
    recorder.metrics("sft", steps, last);
    loop.values = { ...loop.values, ...last };
  } catch (error) {
    return await loop.leave(steps, error);
  }
  const result = await loop.finish({ model, heads: ["lm"], merge: true });
  await engine.disposeModel(model);
  return result;

  async function heldOutLoss(step: number, { microBatch }: SftConfig): Promise<MetricValues> {
    return heldOut.length === 0
      ? {}
      : {
          "sft/heldout_loss": await meanLoss(context, {
            model,
            sequences: heldOut,
            ...loop.passes(step, { microBatch, message: "held-out rows" }),
          }),
        };
  }
}

/** Mean negative log-probability of all tokens that are trained on, in nats. */
async function meanLoss(
  { engine }: StageContext,
  { model, sequences, ...passes }: PassOptions & { model: ModelId; sequences: readonly EncodedSequence[] },
): Promise<number> {
  const { logprobs } = await engine.forward(model, { sequences, outputs: ["logprobs"] }, passes);
  const masks = sequences.map(maskOf);
  return -sum(logprobs.map((row, i) => sum(row.filter((_, t) => masks[i]![t] !== 0)))) / sum(masks.map(sum));
}

/** 1 for each token from the sequence's start on that is trained on. */
function maskOf({ tokens, start, mask }: EncodedSequence): readonly number[] {
  return mask ?? new Array<number>(tokens.length - start).fill(1);
}
