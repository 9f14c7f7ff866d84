/** Likely causes of what a run shows, from its record. */

import type { Config } from "../config/index.ts";
import {
  type Diagnosis,
  type DiagnosisInput,
  diagnose,
  iterationsDone,
  type RunHistory,
} from "../control/diagnosis/index.ts";
import { hasCritic } from "../settings/algorithm-table.ts";
import type { Store } from "../store/index.ts";

export interface DiagnosisOptions {
  /** The run's configuration, which must have PPO. */
  readonly config: Config;
  readonly history: RunHistory;
  readonly seen: Seen;
}

export function diagnosisOf({ config, history, seen }: DiagnosisOptions): {
  /** Iterations done. */
  readonly done: number;
  readonly found: readonly Diagnosis[];
} {
  // Measurements at the end are recorded one past the last iteration.
  const done = Math.min(config.ppo!.iterations, iterationsDone(history));
  const found = diagnose({
    history,
    done,
    settings: settingsOf(config),
    entropyScale: config.control.entropy.scale,
    evaluationIsTraining: !config.evaluation.prompts && !(config.demo && !config.ppo?.prompts),
    ...seen,
  });
  return { done, found };
}

function settingsOf({ ppo }: Config): DiagnosisInput["settings"] {
  const { sequences, minibatches, responsesPerPrompt, epochs, learningRate, clipHigh, valueClip, kl } = ppo!;
  const { entropyCoef, temperature, gamma, lambda, maxGradNorm, maxNewTokens, microBatch, rewards } = ppo!;
  return {
    ...{ sequences, minibatches, responsesPerPrompt, epochs, learningRate, clipHigh, valueClip },
    ...{ entropyCoef, temperature, gamma, lambda, maxGradNorm, maxNewTokens, microBatch },
    klCoef: kl.coef,
    criticLearningRate:
      ppo!.criticKind === "shared" || !hasCritic(ppo!.algorithm) ? null : (ppo!.criticLearningRate ?? 2 * learningRate),
    lengthReward: rewards.some(({ kind, weight }) => kind === "length" && weight !== 0),
  };
}

/** The input of the detectors besides metrics. */
export type Seen = Pick<DiagnosisInput, "messages" | "lost" | "memoryMb" | "samples">;

export function seenOf(store: Store, id: string): Seen {
  const run = store.run(id);
  const events = (kind: "error" | "warning") => store.events(id, { kind, current: true }).rows;
  const messages = [...events("error"), ...events("warning")].map(({ message }) => message);
  const { memoryGb } = JSON.parse(run?.machine ?? "{}") as { readonly memoryGb?: number };
  const newest = store.latest(id, "ppo").find(({ key }) => key === "reward/score_mean")?.iteration;
  const samples = newest === undefined ? [] : store.samples(id, "ppo", newest);
  return {
    messages,
    lost: run?.state === "lost",
    memoryMb: memoryGb === undefined ? null : 1024 * memoryGb,
    samples: samples.map(({ prompt, response, score }) => ({ prompt, response, score })),
  };
}
