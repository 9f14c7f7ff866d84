/** One optimizer step of one model from its accumulated gradient, and the handling of a gradient that is not finite. */

import type { Engine, ForwardBackwardResult, ModelId, OptimStepRequest } from "../engine/engine.ts";
import type { LayerGradients } from "../signals/index.ts";

import { TrainingError } from "../util/errors.ts";
import { dumpMinibatch } from "./dump-minibatch.ts";
import type { StageContext } from "./stage-context.ts";

/** The settings that the sections of the three stages share. */
export interface OptimizerSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number | null;
}

export interface StepTaken {
  /** Global norm before clipping; NaN or infinite if the step was skipped, null if the engine does not tell it. */
  readonly gradNorm: number | null;
  readonly skipped: boolean;
  /** Gradient figures by parameter group; absent if the step was skipped. */
  readonly layers?: LayerGradients;
}

/**
 * Takes a step or, if a loss or a gradient is not finite, drops the gradient before it reaches the weights (docs/PPO.md row 15). `gradients` are the
 * accumulated results.
 */
export async function takeStep(
  engine: Engine,
  model: ModelId,
  options: {
    readonly settings: OptimizerSettings;
    readonly learningRate: number;
    /** Factors on the learning rate by parameter group; 1 for all by default. */
    readonly rateFactors?: Readonly<Record<string, number>> | undefined;
    readonly gradients: readonly Pick<ForwardBackwardResult, "nonFinite">[];
  },
): Promise<StepTaken> {
  const { settings, learningRate, rateFactors, gradients } = options;
  if (gradients.some(({ nonFinite }) => nonFinite > 0)) {
    await engine.zeroGrad(model);
    return { gradNorm: Number.NaN, skipped: true };
  }
  const { beta1, beta2, epsilon, weightDecay, maxGradNorm } = settings;
  const adam = { learningRate, beta1, beta2, epsilon, weightDecay, maxGradNorm };
  const request: OptimStepRequest = rateFactors === undefined ? adam : { ...adam, rateFactors };
  const { gradNorm, skipped, groupNorms, groupMoments } = await engine.optimStep(model, request);
  if (skipped || groupNorms === undefined || groupMoments === undefined) return { gradNorm, skipped };
  return { gradNorm, skipped, layers: { norms: groupNorms, moments: groupMoments } };
}

export interface SkippedStep {
  readonly iteration: number;
  /** The step within the iteration; 0 in the stages in which the two are the same. */
  readonly step: number;
  /** Consecutive skipped steps, including this one. */
  readonly inARow: number;
  /** The content of the step. */
  readonly content: Readonly<Record<string, unknown>>;
}

/**
 * Dumps the minibatch of a skipped step and records it. If this is the second in a row, returns the error that should end the stage once its state is
 * saved; else null.
 */
export function reportSkip(
  context: StageContext,
  { iteration, step, inARow, content }: SkippedStep,
): TrainingError | null {
  const dumped = dumpMinibatch(context, { iteration, step, content });
  const fatal = inARow >= 2;
  const message = `a loss or gradient is not finite: the step is skipped and the weights are as before; ${dumped}`;
  const { stage, recorder } = context;
  recorder.event({ kind: fatal ? "error" : "warning", stage, iteration, message, data: { step, inARow } });
  if (!fatal) return null;
  return new TrainingError(
    `${stage} ${iteration}: a loss or gradient is not finite, for the second step in a row; ${dumped}`,
    `The weights are those before it. Lower ${stage}.learningRate or look at the data, then resume.`,
  );
}
