/** The settings that may change while a stage runs, by an operator or by a rule that rolls back. */
import { leverSettings } from "../levers/levers.ts";
import type { Stage } from "../types/records.ts";
import { type AlgorithmName, lackedSettings } from "./algorithm-table.ts";

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
      "layerRates.head",
      ...["gamma", "lambda", "lambdaFrom", "scoreClip", "missingEosPenalty", "storedSamples"],
    ]),
  ],
};

/** Settings that change nothing unless another one is on, and whether it is. */
const needs: Readonly<Record<string, (section: Readonly<Record<string, unknown>>) => boolean>> = {
  "slowCritic.decay": ({ slowCritic }) => slowCritic !== null,
  clipWide: ({ clipSchedule }) => clipSchedule === "phases",
};

/** The names of the settings of a stage's section that may change: of the online stage, those that its algorithm and its other settings have a use for. */
export function liveSettingsOf(stage: Stage, section: object): string[] {
  const { algorithm } = section as { readonly algorithm?: AlgorithmName };
  const lacked = algorithm === undefined ? [] : lackedSettings(algorithm).map(({ key }) => key);
  return liveSettings[stage].filter(
    (name) => !lacked.includes(name.split(".")[0]!) && (needs[name]?.(section as Record<string, unknown>) ?? true),
  );
}
