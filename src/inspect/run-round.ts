/** A round of an experiment as a run's record shows it: what is judged, and what the next round may change. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/index.ts";
import { likelihood, type RunHistory } from "../control/diagnosis/index.ts";
import { rateBand } from "../control/doctor/index.ts";
import type { RoundRecord, RoundSignal, RoundStage } from "../control/rounds/judge-round.ts";
import type { RoundSettings } from "../control/rounds/next-round.ts";
import { readBaseConfig } from "../models/adapter-folder.ts";
import { parameterCount } from "../models/model-size.ts";
import { BallastError } from "../util/errors.ts";
import { findRun, type RunPlace } from "./places.ts";
import { diagnosisOf, type Seen } from "./run-diagnosis.ts";
import type { RunFailure } from "./run-failure.ts";
import { evaluationOf } from "./run-files.ts";

export interface ReadRound {
  readonly record: RoundRecord;
  readonly settings: RoundSettings;
  /** The run of the round before; null if there is none any more. */
  readonly previous: RunPlace | null;
}

const signals: readonly RoundSignal[] = [
  "safety/share",
  "response/repeat_agreement",
  "response/truncated_share",
  "response/repeated_4gram_share",
];

/** Symptoms of a diagnosis that speak against the reward, if they are more than conceivable. */
const suspicious = ["gold_jumps", "reward_too_clever", "check_fell"];

export function roundOf({
  place,
  config,
  history,
  seen,
  failure,
  independent,
}: {
  readonly place: RunPlace;
  /** The run's configuration, which must have PPO. */
  readonly config: Config;
  readonly history: RunHistory;
  readonly seen: Seen;
  /** Why the run failed; null if it did not. */
  readonly failure: RunFailure | null;
  /** Whether a gold check judges something else than the reward does. */
  readonly independent: boolean;
}): ReadRound {
  const previous = previousOf(config);
  const evaluation = evaluationOf(place);
  const before = previous && evaluationOf(previous);
  // A comparison needs the same prompts.
  const comparable = before?.samples === evaluation?.samples && before?.seed === evaluation?.seed;
  const { done, found } = diagnosisOf({ config, history, seen });
  const likely = found.find((one) => one.likelihood >= likelihood.likely);
  return {
    previous,
    record: {
      stage: (config.experiment?.stage ?? 1) as RoundStage,
      evaluation,
      failure,
      iterations: done,
      likely: likely ? { cause: likely.cause, remedy: likely.remedy } : null,
      previous: comparable && config.experiment?.stage === 2 ? before : null,
      independent,
      suspicions: found
        .filter((one) => suspicious.includes(one.symptom) && one.likelihood > likelihood.conceivable)
        .map(({ seen, cause }) => `${seen}: ${cause}`),
      signals: Object.fromEntries(signals.map((key) => [key, ends(history, key)])) as RoundRecord["signals"],
    },
    settings: { ...settingsOf(config, place), constant: isConstant(history) },
  };
}

function ends(history: RunHistory, key: string): { first: number; last: number } | null {
  const points = history[key];
  if (points === undefined || points.length === 0) return null;
  return { first: points[0]!.value, last: points.at(-1)!.value };
}

function isConstant(history: RunHistory): boolean {
  const spreads = history["reward/score_std"] ?? [];
  return spreads.length > 0 && spreads.every(({ value }) => value === 0);
}

function previousOf({ experiment, workspace }: Config): RunPlace | null {
  if (experiment?.previous === undefined || /\.ya?ml$/.test(experiment.previous)) return null;
  try {
    return findRun(experiment.previous, workspace);
  } catch (error) {
    if (error instanceof BallastError) return null;
    throw error;
  }
}

function settingsOf(config: Config, { folder }: RunPlace): Omit<RoundSettings, "constant"> {
  const { rewards, learningRate, sequences, minibatches, iterations, missingEosPenalty, prompts } = config.ppo!;
  const policy = join(folder, "ppo", "final");
  return {
    ...{ rewards, learningRate, sequences, minibatches, iterations, missingEosPenalty },
    limited: (prompts?.limit ?? 0) > 0,
    band:
      existsSync(join(policy, "config.json")) || existsSync(join(policy, "adapter_config.json"))
        ? bandOf(policy, config)
        : null,
  };
}

function bandOf(policy: string, config: Config): RoundSettings["band"] {
  try {
    const parameters = parameterCount(readBaseConfig(policy), ["lm"]);
    return rateBand({ parameters, lora: config.lora !== undefined });
  } catch (error) {
    if (error instanceof BallastError) return null;
    throw error;
  }
}
