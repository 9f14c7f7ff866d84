/** The settings that may change while a stage runs: a person's, or those of a rule that rolls back. */
import type { Stage } from "../types/records.ts";

const optimizer = ["learningRate", "weightDecay", "maxGradNorm", "microBatch", "checkpointEvery", "keep"];

/** What is not here shapes the run as a whole (its data, its number of steps) and cannot change half way. */
export const liveSettings: Readonly<Record<Stage, readonly string[]>> = {
  sft: [...optimizer, "evaluateEvery"],
  reward: [...optimizer, "evaluateEvery"],
  ppo: [
    ...optimizer,
    ...["criticLearningRate", "epochs", "minibatches", "stopEpochsAtKl", "temperature"],
    ...["clipLow", "clipHigh", "dualClip", "valueClip", "valueCoef", "entropyCoef", "kl.coef", "kl.target"],
    ...["penalty.beta", "penalty.target"],
    ...["gamma", "lambda", "scoreClip", "missingEosPenalty", "storedSamples"],
  ],
};
