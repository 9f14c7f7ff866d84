/** The settings that may change while a stage runs, by an operator or by a rule that rolls back. */
import { leverSettings } from "../steering/levers.ts";
import type { Stage } from "../types/records.ts";

const optimizer = ["learningRate", "weightDecay", "maxGradNorm", "microBatch", "checkpointEvery", "keep"];

/** The keys that levers move, without their stage. */
const moved = leverSettings().flatMap(({ key }) => (key.startsWith("ppo.") ? [key.slice("ppo.".length)] : []));

/** Settings that are not listed shape the run as a whole (its data, its number of steps) and cannot change midway. */
export const liveSettings: Readonly<Record<Stage, readonly string[]>> = {
  sft: [...optimizer, "evaluateEvery"],
  reward: [...optimizer, "evaluateEvery"],
  ppo: [
    ...new Set([
      ...moved,
      ...optimizer,
      ...["epochs", "minibatches", "stopEpochsAtKl", "temperature"],
      ...["dualClip", "valueClip", "valueCoef", "entropyCoef", "kl.target", "penalty.beta", "penalty.target"],
      ...["gamma", "lambda", "scoreClip", "missingEosPenalty", "storedSamples"],
    ]),
  ],
};
