/**
 * Faults injected on purpose: hooks that PPO's phases call, each of which returns what it was given while no fault of its
 * kind is on. What a fault does is a function of the iteration alone, so that a resumed run has the same.
 */
import type { Fault, FaultName } from "../config/fault-names.ts";
import type { ModelId } from "../engine/engine.ts";
import type { RewardPipeline, Scored, Scores } from "../reward/index.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import { random } from "../util/random.ts";
import type { PpoModels } from "./ppo-models.ts";
import type { Minibatch } from "./ppo-step.ts";

export interface FaultsOptions {
  readonly faults: readonly Fault[];
  readonly seed: number;
}

export type Faults = ReturnType<typeof createFaults>;

/** @example createFaults({ faults: [{ name: "lr-spike", from: 40 }], seed: 1 }).settings(40, settings).learningRate */
export function createFaults({ faults, seed }: FaultsOptions) {
  const on = (name: FaultName, iteration: number) =>
    faults.some((fault) => fault.name === name && iteration >= fault.from);
  return {
    /** The names of those that begin in this iteration. */
    beginning: (iteration: number): FaultName[] =>
      faults.filter(({ from }) => from === iteration).map(({ name }) => name),

    /** Both rates, the sampling temperature, the sequences of a step. */
    settings(iteration: number, settings: PpoConfig): PpoConfig {
      const { learningRate, criticLearningRate = 2 * learningRate, sequences } = settings;
      return {
        ...settings,
        ...(on("lr-spike", iteration) && {
          learningRate: 30 * learningRate,
          criticLearningRate: 30 * criticLearningRate,
        }),
        ...(on("temperature", iteration) && { temperature: 0.05 }),
        ...(on("few-sequences", iteration) && { minibatches: sequences / 8 }),
      };
    },

    /** Rows of the prompts to answer. */
    prompts: (iteration: number, rows: number[]): number[] =>
      on("narrow-prompts", iteration) ? rows.map(() => rows[0]!) : rows,

    /** The model that samples, and whose log-probabilities are the old ones. */
    sampler: (iteration: number, { policy, reference }: PpoModels): ModelId =>
      on("stale-rollouts", iteration) ? reference : policy.id,

    reference: (iteration: number, { policy, reference }: PpoModels): ModelId =>
      on("reference-drift", iteration) ? policy.id : reference,

    /** Everything that scores: rollouts, and probes of the reward's accuracy. */
    reward(iteration: number, reward: RewardPipeline): RewardPipeline {
      const wrong = rewardFaults.filter(([name]) => on(name, iteration));
      if (wrong.length === 0) return reward;
      return {
        ...reward,
        async score(rows) {
          const scores = await reward.score(rows);
          const noise = random(seed, "fault", iteration);
          const score = wrong.reduce(
            (list, [, change]) =>
              list.map((value, b) =>
                change({ score: value, row: rows[b]!, unsafe: tripped(scores, b), noise: () => noise.normal() }),
              ),
            scores.score,
          );
          return { ...scores, score };
        },
      };
    },

    /** Whitened advantages, (B, T). */
    advantages: (iteration: number, advantages_B_T: number[][]): number[][] =>
      on("advantages", iteration) ? advantages_B_T.map((row) => row.map((x) => 100 * x)) : advantages_B_T,

    minibatch: (iteration: number, step: number, minibatch: Minibatch): Minibatch =>
      on("nan-gradient", iteration) && step === 0
        ? {
            ...minibatch,
            advantages: minibatch.advantages.map((row, b) => row.map((x, t) => (b + t === 0 ? Number.NaN : x))),
          }
        : minibatch,

    /** Whether the critic's gradient is lost. */
    criticFrozen: (iteration: number): boolean => on("critic-frozen", iteration),
  };
}

interface ScoredResponse {
  readonly score: number;
  readonly row: Scored;
  readonly unsafe: boolean;
  /** The next standard normal number. */
  readonly noise: () => number;
}

const rewardFaults: readonly (readonly [FaultName, (response: ScoredResponse) => number])[] = [
  ["reward-noise", ({ score, noise }) => score + 3 * noise()],
  ["reward-flip", ({ score }) => -score],
  ["loophole", ({ score, row }) => score + row.response.split(".").length - 1],
  ["length-runaway", ({ score, row }) => score + row.tokens.length / 2],
  ["unsafe", ({ score, unsafe }) => score + (unsafe ? 4 : 0)],
];

function tripped({ safety }: Scores, b: number): boolean {
  return Object.values(safety).some((trips) => trips[b]);
}
