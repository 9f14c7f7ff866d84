/** Every golden vector, in float64: the numbers of docs/PPO.md compared with the arithmetic here and the losses of objectives/. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { policyTerms, updateStatistics } from "../objectives/clipped-policy.ts";
import { valueTerms } from "../objectives/clipped-value.ts";
import { pairwiseLoss } from "../objectives/pairwise.ts";
import { penaltyTerms } from "../objectives/penalty-policy.ts";
import * as rl from "./index.ts";

interface Vector {
  readonly id: string;
  readonly row: string;
  // biome-ignore lint/suspicious/noExplicitAny: each kind of vector has fields of its own, read by its runner below
  readonly input: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly config: any;
  readonly expect: Readonly<Record<string, unknown>>;
}

const vectors: Vector[] = JSON.parse(
  readFileSync(new URL("../../test/fixtures/ppo-vectors.json", import.meta.url), "utf8"),
);

/** Rows of docs/PPO.md whose arithmetic is here and that have vectors. */
const knownRows = new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]);

type Runner = (vector: Vector) => Record<string, unknown>;

/** Runners by kind, the first part of an id after `fixture.`. Each returns all fields that `expect` has. */
const runners: Record<string, Runner> = {
  logprob: ({ input, config }) => ({
    logprobs_T: input.tokens_T.map((token: number, t: number) =>
      rl.tokenLogprob(input.logits_T_V[t], token, config.temperature),
    ),
    entropy_T: input.logits_T_V.map((logits: number[]) => rl.entropyOfLogits(logits, config.temperature)),
  }),
  kl: ({ input }) => {
    const mask = input.mask_B_T;
    const out: Record<string, unknown> = {};
    for (const estimator of ["k1", "k2", "k3"] as const) {
      const rows = rl.klRows(input.logprobs_B_T, input.refLogprobs_B_T, estimator, mask);
      out[estimator] = rows;
      out[`${estimator}MeanPerToken`] = rl.klPerToken(rows, mask);
      out[`${estimator}PerSequence`] = rl.klPerSequence(rows, mask);
    }
    return out;
  },
  reward: ({ input, config }) => ({
    rewards_B_T: rl.tokenRewards({
      logprobs: input.logprobs_B_T,
      refLogprobs: input.refLogprobs_B_T,
      mask: input.mask_B_T,
      scores: input.scores_B,
      endsWithEos: input.endsWithEos_B,
      ...config,
    }),
  }),
  gae: ({ input, config }) => {
    const mask = input.mask_B_T;
    const { advantages, returns } = rl.gae({ rewards: input.rewards_B_T, values: input.values_B_T, mask, ...config });
    return { advantages_B_T: advantages, returns_B_T: returns, whitened_B_T: rl.whiten(advantages, mask).rows };
  },
  policy: ({ input, config }) => {
    const mask = input.mask_B_T;
    const options = {
      logprobs: input.logprobs_B_T,
      oldLogprobs: input.oldLogprobs_B_T,
      advantages: input.advantages_B_T,
      mask,
      ...config,
    };
    const terms = policyTerms(options);
    const statistics = updateStatistics(options);
    const weights = rl.tokenWeights({ mask, aggregation: config.aggregation });
    return {
      loss: rl.weightedSum(terms.loss, weights),
      perToken_B_T: terms.loss,
      gradLogprobs_B_T: terms.gradient.map((row, b) => row.map((g, t) => g * weights[b]![t]!)),
      ratio_B_T: terms.ratio,
      clipFraction: statistics.clipFraction,
      dualClipFraction: statistics.dualClipFraction,
      approxKlK3: statistics.approxKlMean,
      ratioMean: statistics.ratioMean,
    };
  },
  penalty: ({ input, config }) => {
    const terms = penaltyTerms({
      logits: input.logits_T_V,
      oldLogits: input.oldLogits_T_V,
      tokens: input.tokens_T,
      advantages: input.advantages_T,
      ...config,
    });
    return {
      loss: rl.mean(terms.loss),
      kl_T: terms.kl,
      ratio_T: terms.ratio,
      gradLogits_T_V: terms.gradient.map((row) => row.map((g) => g / input.tokens_T.length)),
    };
  },
  value: ({ input, config }) => {
    const mask = input.mask_B_T;
    const terms = valueTerms({
      values: input.values_B_T,
      oldValues: input.oldValues_B_T,
      returns: input.returns_B_T,
      mask,
      ...config,
    });
    const weights = rl.tokenWeights({ mask, aggregation: "token-mean" });
    return {
      loss: rl.weightedSum(terms.loss, weights),
      gradValues_B_T: terms.gradient.map((row, b) => row.map((g, t) => g * weights[b]![t]!)),
      clipFraction: rl.weightedSum(
        terms.clipped.map((row) => row.map(Number)),
        weights,
      ),
    };
  },
  accumulate: ({ input }) => {
    const mask = [...input.firstMask_B_T, ...input.secondMask_B_T];
    const weights = rl.tokenWeights({ mask, aggregation: "token-mean" });
    const split = input.first_B_T.length;
    return {
      mean:
        rl.weightedSum(input.first_B_T, weights.slice(0, split)) +
        rl.weightedSum(input.second_B_T, weights.slice(split)),
    };
  },
  ev: ({ input }) => {
    const { explainedVariance, withBias } = rl.explainedVariance(input.returns_N, input.values_N);
    return { explainedVariance, explainedVarianceWithBias: withBias };
  },
  clip: ({ input, config }) => ({ ...rl.clipByGlobalNorm(input.gradients, config.maxNorm) }),
  adam: ({ input, config }) => ({
    weights: rl.adamW({ weights: input.weights, gradients: input.gradients, ...config }),
  }),
  noise: ({ input, config }) => {
    const gradients: number[][] = input.microBatchGradients_K_P;
    const squaredNorm = (g: readonly number[]): number => rl.sum(g.map((x) => x * x));
    const meanGradient = gradients[0]!.map((_, p) => rl.mean(gradients.map((g) => g[p]!)));
    const noise = rl.gradientNoise({
      squaredNorms: gradients.map(squaredNorm),
      meanSquaredNorm: squaredNorm(meanGradient),
      sequencesPerMicroBatch: config.sequencesPerMicroBatch,
      parameters: meanGradient.length,
    });
    return { ...noise, noiseScale: rl.noiseScale([noise]) };
  },
  rm: ({ input }) => {
    const result = pairwiseLoss({ chosen: input.chosen_N, rejected: input.rejected_N, margins: input.margin_N });
    return {
      loss: result.loss,
      accuracy: result.accuracy,
      gradChosen_N: result.gradChosen,
      gradRejected_N: result.gradRejected,
    };
  },
  controller: ({ input, config }) => {
    let coef: number = config.start;
    const beta = input.kl.map((kl: number) => {
      if (config.kind === "ziegler") coef = rl.zieglerStep({ coef, kl, ...config });
      else if (config.kind === "exponential") coef = rl.exponentialStep({ coef, kl, ...config });
      else coef = rl.stepController({ coef, kl, target: config.target, ...presetOf(config) });
      return coef;
    });
    return { beta };
  },
  fact: ({ id, input }) => ({ expectedGradient: expectedGradients(input.p, input.q, id.endsWith("loss")) }),
};

function presetOf(config: { preset: keyof typeof rl.stepPresets } & rl.StepController): rl.StepController {
  const preset: rl.StepController = rl.stepPresets[config.preset];
  const { high, low, up, down, min, max } = config;
  expectClose(preset, JSON.parse(JSON.stringify({ high, low, up, down, min, max })), config.preset, 1e-9);
  return preset;
}

/** The expected gradient with respect to the logits of p, as a loss or as a reward, for each estimator; and that of KL(p, q) itself. */
function expectedGradients(p: readonly number[], q: readonly number[], asLoss: boolean): Record<string, number[]> {
  const logRatios = p.map((x, i) => Math.log(x / q[i]!));
  const kl = rl.sum(p.map((x, i) => x * logRatios[i]!));
  const estimators = { k1: rl.k1, k2: rl.k2, k3: rl.k3 };
  const out: Record<string, number[]> = { exact: p.map((x, i) => x * (logRatios[i]! - kl)) };
  for (const estimator of ["k1", "k2", "k3"] as const) {
    // The factor of grad log p(token): the estimator's derivative as a loss, its value as a reward.
    const factors = logRatios.map((d) => (asLoss ? rl.klDerivative(d, estimator) : estimators[estimator](d)));
    const average = rl.sum(p.map((x, i) => x * factors[i]!));
    out[estimator] = p.map((x, i) => x * (factors[i]! - average));
  }
  return out;
}

function expectClose(actual: unknown, wanted: unknown, path: string, tolerance: number): void {
  if (typeof wanted === "number") {
    const bound = tolerance * Math.max(1, Math.abs(wanted));
    expect(Math.abs((actual as number) - wanted), `${path}: ${actual} instead of ${wanted}`).toBeLessThanOrEqual(bound);
  } else if (wanted !== null && typeof wanted === "object") {
    expect(Object.keys(actual as object).sort(), path).toEqual(Object.keys(wanted).sort());
    for (const [key, value] of Object.entries(wanted))
      expectClose((actual as Record<string, unknown>)[key], value, `${path}.${key}`, tolerance);
  } else expect(actual, path).toBe(wanted);
}

const kindOf = (id: string): string => id.replace(/^fixture\./, "").split(".")[0]!;

describe("golden vectors", () => {
  it("all have a known row and a runner", () => {
    expect(vectors.length).toBe(51);
    const strangers = vectors.filter(
      ({ id, row }) => !(kindOf(id) in runners) || !row.split(",").every((part) => knownRows.has(Number(part))),
    );
    expect(strangers.map(({ id, row }) => `${id} (row ${row})`)).toEqual([]);
    const covered = new Set(vectors.flatMap(({ row }) => row.split(",").map(Number)));
    expect([...covered].sort((a, b) => a - b)).toEqual([...knownRows]);
  });

  it.each(vectors.map((vector) => [vector.id, vector] as const))("%s", (id, vector) => {
    const actual = runners[kindOf(id)]!(vector);
    // The two facts are published with eight decimals; all else with ten significant digits.
    const tolerance = kindOf(id) === "fact" ? 1e-8 : 1e-9;
    for (const [key, wanted] of Object.entries(vector.expect)) expectClose(actual[key], wanted, key, tolerance);
  });
});
