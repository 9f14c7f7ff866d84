/** Losses, accumulation and optimizer steps of the engine in its thread, compared with the slow functions of `objectives/`. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  adam,
  gradientOf,
  randomPerToken,
  randomSequences,
  relativeError,
  saved,
  smallConfig,
} from "../../../test/support/engine.ts";
import { fixtureTensors, gap, temporaryFolder, tiedConfig } from "../../../test/support/gpt2.ts";
import { writeModelFolder } from "../../models/hf-folder.ts";
import { policyTerms } from "../../objectives/clipped-policy.ts";
import { valueTerms } from "../../objectives/clipped-value.ts";
import { pairwiseLoss } from "../../objectives/pairwise.ts";
import { adamW, clipByGlobalNorm, klRows, weightedSum } from "../../rl/index.ts";
import { keepsMemory } from "../../tensor/session.ts";
import type { Engine, LossRequest, OptimStepRequest, PolicyLoss } from "../engine.ts";
import { createEmbeddedEngine } from "./index.ts";

let engine: Engine;
let model = "";
beforeAll(async () => {
  engine = await createEmbeddedEngine({ threads: 2 });
  model = (await engine.createModel({ config: smallConfig, heads: ["lm", "scalar"], scalarInit: "normal", seed: 1 }))
    .id;
});
afterAll(() => engine.close());

const sequences = randomSequences(8, 1);
const rows = (name: string, scale?: number, center?: number) => randomPerToken(sequences, name, scale, center);
const weights = rows("weights", 0.02, 0.05);
const near = (actual: number, expected: number) =>
  expect(Math.abs(actual - expected) / (1 + Math.abs(expected))).toBeLessThan(1e-5);

const crossEntropy: Extract<LossRequest, { name: "cross_entropy" }> = { name: "cross_entropy", sequences, weights };
const value: LossRequest = {
  name: "value",
  sequences,
  weights,
  returns: rows("returns"),
  oldValues: rows("oldValues", 0.5),
  config: { valueClip: 0.2 },
};
const rejected = randomSequences(8, 2);
const pairwise: LossRequest = {
  name: "pairwise",
  chosen: sequences,
  rejected,
  margins: [0, 0.5, 1, 0, 0.2, 0, -0.3, 2],
  weights: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
};

/** Old log-probabilities around the present ones, so that ratios fall on both sides of every clip. */
async function policyLoss(config: Partial<PolicyLoss["config"]>): Promise<PolicyLoss> {
  const full = { clipLow: 0.2, clipHigh: 0.28, dualClip: null, entropyCoef: 0, kl: null, temperature: 0.8, ...config };
  const { logprobs } = await engine.forward(model, {
    sequences,
    outputs: ["logprobs"],
    temperature: full.temperature,
  });
  const moved = (by: number[][]) => logprobs!.map((row, b) => row.map((logprob, t) => logprob + by[b]![t]!));
  return {
    name: "policy",
    sequences,
    weights,
    oldLogprobs: moved(rows("old", 0.6)),
    refLogprobs: moved(rows("ref", 0.4)),
    advantages: rows("advantages"),
    config: full,
  };
}

describe("losses equal the slow functions on the engine's own outputs within 1e-5", () => {
  test("cross entropy", async () => {
    const { loss, logprobs } = await engine.forwardBackward(model, crossEntropy);
    near(loss, -weightedSum(logprobs!, weights));
  });

  test.each([0.2, 1e-3, null])("value, clip %s", async (valueClip) => {
    const request = { ...value, config: { valueClip } };
    const { loss, values } = await engine.forwardBackward(model, request);
    const { oldValues, returns } = request;
    near(loss, weightedSum(valueTerms({ values: values!, oldValues, returns, valueClip }).loss, weights));
  });

  test("pairwise", async () => {
    const { loss, chosenScores, rejectedScores } = await engine.forwardBackward(model, pairwise);
    const terms = chosenScores!.map((chosen, i) =>
      pairwiseLoss({ chosen: [chosen], rejected: [rejectedScores![i]!], margins: [pairwise.margins[i]!] }),
    );
    near(
      loss,
      terms.reduce((total, term, i) => total + pairwise.weights[i]! * term.loss, 0),
    );
  });

  test.each<Partial<PolicyLoss["config"]>>([
    {},
    { dualClip: 1.5 },
    { entropyCoef: 0.3 },
    { kl: { coef: 0.4, estimator: "k2" } },
    { kl: { coef: 0.4, estimator: "k3" }, dualClip: 3, entropyCoef: 0.01, temperature: 1.3 },
  ])("policy %j", async (settings) => {
    const request = await policyLoss(settings);
    const { clipLow, clipHigh, dualClip, entropyCoef, kl } = request.config;
    const { loss, logprobs, entropy } = await engine.forwardBackward(model, request);
    const terms = policyTerms({ ...request, logprobs: logprobs!, clipLow, clipHigh, dualClip });
    expect(terms.clipped.flat()).toContain(true);
    if (dualClip !== null) expect(terms.dualClipped.flat()).toContain(true);
    let expected = weightedSum(terms.loss, weights) - entropyCoef * weightedSum(entropy!, weights);
    if (kl !== null) {
      expected += kl.coef * weightedSum(klRows(logprobs!, request.refLogprobs!, kl.estimator), weights);
    }
    near(loss, expected);
  });

  test("the policy's gradient by the log-probability of each token is that of the slow terms", async () => {
    // d loss / d theta = sum over tokens of (slow gradient * weight) * d logprob / d theta: a cross entropy with those weights.
    const request = await policyLoss({ dualClip: 2, temperature: 1 });
    const { logprobs } = await engine.forwardBackward(model, request);
    const { clipLow, clipHigh, dualClip } = request.config;
    const terms = policyTerms({ ...request, logprobs: logprobs!, clipLow, clipHigh, dualClip });
    const equivalent: LossRequest = {
      ...crossEntropy,
      weights: terms.gradient.map((row, b) => row.map((g, t) => -g * weights[b]![t]!)),
    };
    const expected = await gradientOf(engine, model, [equivalent]);
    expect(relativeError(await gradientOf(engine, model, [request]), expected)).toBeLessThan(1e-5);
  });

  test("a token of weight 0 contributes nothing, whatever its numbers", async () => {
    const request = await policyLoss({});
    const one = (rowsOf: readonly (readonly number[])[], at: number) =>
      rowsOf.map((row, b) => (b === 0 ? row.map((x, t) => (t === 0 ? at : x)) : [...row]));
    const masked = { ...request, weights: one(weights, 0) };
    const a = await gradientOf(engine, model, [masked]);
    const b = await gradientOf(engine, model, [{ ...masked, advantages: one(request.advantages, 1e6) }]);
    expect(relativeError(b, a)).toBe(0);
  });
});

describe("accumulation", () => {
  const slice = (loss: LossRequest, from: number, to: number): LossRequest =>
    Object.fromEntries(
      Object.entries(loss).map(([key, part]) => [key, Array.isArray(part) ? part.slice(from, to) : part]),
    ) as unknown as LossRequest;
  const split = (loss: LossRequest) => [slice(loss, 0, 3), slice(loss, 3, 4), slice(loss, 4, 8)];

  test("over micro-batches equals one big batch within 1e-5, for every loss", async () => {
    for (const loss of [crossEntropy, value, pairwise, await policyLoss({ entropyCoef: 0.1 })]) {
      const whole = await gradientOf(engine, model, [loss]);
      expect(relativeError(await gradientOf(engine, model, split(loss)), whole)).toBeLessThan(1e-5);
      const { id } = await engine.cloneModel(model);
      let total = 0;
      for (const part of split(loss)) total += (await engine.forwardBackward(id, part)).loss;
      await engine.zeroGrad(id);
      near(total, (await engine.forwardBackward(id, loss)).loss);
    }
  });

  test("of two losses of a shared trunk is the sum of their gradients", async () => {
    const [a, b, both] = [
      await gradientOf(engine, model, [crossEntropy]),
      await gradientOf(engine, model, [value]),
      await gradientOf(engine, model, [crossEntropy, value]),
    ];
    const sum = new Map([...a].map(([name, g]) => [name, g.map((x, i) => x + b.get(name)![i]!)]));
    expect(relativeError(both, sum)).toBeLessThan(1e-6);
    expect(a.get("score.weight")!.every((g) => g === 0)).toBe(true);
  });

  test("the squared norm is that of each part alone; norms by group add up", async () => {
    const { id } = await engine.cloneModel(model);
    const squaredNorm = async (loss: LossRequest & { readonly sequences: readonly unknown[] }) =>
      (await engine.forwardBackward(id, loss, { parts: [loss.sequences.map((_, i) => i)] })).partSquaredNorms![0]!;
    const first = await squaredNorm(crossEntropy);
    const second = await squaredNorm(crossEntropy);
    near(second, first);
    const { gradNorm, groupNorms = {} } = await engine.optimStep(id, adam);
    near(gradNorm!, 2 * Math.sqrt(first));
    expect(Object.keys(groupNorms)).toEqual(["embeddings", "block.0", "block.1", "final", "score"]);
    const total = Object.values(groupNorms).reduce((sum, norm) => sum + norm ** 2, 0);
    near(Math.sqrt(total), gradNorm!);
    await engine.forwardBackward(id, value);
    const again = await squaredNorm(value);
    await engine.zeroGrad(id);
    const alone = await squaredNorm(value);
    expect(alone).toBe(again);
    near((await engine.optimStep(id, adam)).gradNorm!, Math.sqrt(alone));
  });

  test("of a large model, whose first pass writes over the last step's gradient", async () => {
    // 64 MB of parameters, where the graph of the first pass is one of its own.
    const { id, trained } = await engine.createModel({
      config: { ...smallConfig, layers: 1, width: 1184 },
      heads: ["lm"],
      seed: 3,
    });
    expect(keepsMemory(4 * trained)).toBe(false);
    const [a, b] = [slice(crossEntropy, 0, 4), slice(crossEntropy, 4, 8)] as (typeof crossEntropy)[];
    const step = async (...losses: (typeof crossEntropy)[]) => {
      let squares = 0;
      for (const loss of losses) {
        const parts = [loss.sequences.map((_, i) => i)];
        squares = (await engine.forwardBackward(id, loss, { parts })).partSquaredNorms![0]!;
      }
      return { squares, norm: (await engine.optimStep(id, { ...adam, learningRate: 0 })).gradNorm! };
    };
    const both = await step(a!, b!);
    near(both.norm, (await step(crossEntropy)).norm);
    const alone = await step(b!);
    // The graph adds up 17 million squares in float32.
    expect(alone.norm ** 2 / alone.squares).toBeCloseTo(1, 3);
    near(alone.squares, both.squares);
    await engine.disposeModel(id);
  });

  test("needs at least one gradient", async () => {
    const { id } = await engine.cloneModel(model);
    await expect(engine.optimStep(id, adam)).rejects.toThrow("no gradient was accumulated");
    await engine.forwardBackward(id, crossEntropy);
    await engine.zeroGrad(id);
    await expect(engine.optimStep(id, adam)).rejects.toThrow("no gradient was accumulated");
  });

  test("of nothing to score is 0", async () => {
    const empty = sequences.map(({ tokens }) => ({ tokens, start: tokens.length }));
    const { id } = await engine.cloneModel(model);
    const result = await engine.forwardBackward(
      id,
      { name: "cross_entropy", sequences: empty, weights: empty.map(() => []) },
      { parts: [empty.map((_, i) => i)] },
    );
    expect(result).toMatchObject({ partSquaredNorms: [0], logprobs: empty.map(() => []) });
    near(result.loss, 0);
    const before = (await saved(engine, id)).bytes;
    expect(await engine.optimStep(id, adam)).toMatchObject({ gradNorm: 0, skipped: false });
    expect((await saved(engine, id)).bytes).toBe(before);
  });
});

describe("optimizer steps equal the slow AdamW within 1e-6", () => {
  test.each<[string, Partial<OptimStepRequest>]>([
    ["plain", {}],
    ["clipped", { maxGradNorm: 0.05 }],
    ["a norm too large to clip", { maxGradNorm: 1e6 }],
    ["decay, on matrices only", { weightDecay: 0.3 }],
    ["rates by group", { rateFactors: { embeddings: 0.3, "block.1": 2, score: 0 }, weightDecay: 0.1 }],
    ["other betas and epsilon", { beta1: 0, beta2: 0.5, epsilon: 0.1, maxGradNorm: 1 }],
  ])("%s", async (_, settings) => {
    const request = { ...adam, ...settings };
    const { id } = await engine.cloneModel(model);
    const start = (await saved(engine, id)).weights;
    const history: Map<string, number[]>[] = [];
    const losses = [[crossEntropy, value], [value], [crossEntropy]];
    for (const step of losses) {
      const gradient = await gradientOf(engine, id, step);
      const { norm, clipped } = clipByGlobalNorm([...gradient.values()], request.maxGradNorm ?? Infinity);
      history.push(new Map([...gradient.keys()].map((name, i) => [name, clipped[i]!])));
      for (const loss of step) await engine.forwardBackward(id, loss);
      near((await engine.optimStep(id, request)).gradNorm!, norm);
    }
    const end = (await saved(engine, id)).weights;
    for (const [name, { shape, data }] of start) {
      const slow = adamW({
        ...request,
        weights: Array.from(data),
        gradients: history.map((step) => step.get(name)!),
        learningRate: request.learningRate * (request.rateFactors?.[groupOf(name)] ?? 1),
        weightDecay: shape.length === 2 ? request.weightDecay : 0,
      });
      expect(gap([Array.from(end.get(name)!.data)], [slow.at(-1)!])).toBeLessThan(1e-6);
    }
  });

  const groupOf = (name: string): string => {
    const block = /\.h\.(\d+)\./.exec(name);
    if (block !== null) return `block.${block[1]}`;
    return name.startsWith("score") ? "score" : name.includes(".ln_f.") ? "final" : "embeddings";
  };
});

describe("numbers that are not finite", () => {
  test("one infinite weight makes every loss NaN; the step is skipped, the weights keep their bits", async () => {
    const tensors = fixtureTensors("score");
    const load = async (weight: number) => {
      tensors.get("transformer.wpe.weight")!.data[0] = weight;
      const folder = temporaryFolder();
      writeModelFolder(folder, { config: tiedConfig, heads: ["lm", "scalar"], tensors });
      return engine.loadModel(folder);
    };
    const { id } = await load(3e38);
    // A folder with an infinite weight is refused: it overflows here, 2 x 3e38 + 3e38.
    await engine.ema(id, (await load(-3e38)).id, 2);
    const short = sequences.map(({ tokens }) => ({ tokens: tokens.slice(0, 12).map((token) => token % 23), start: 1 }));
    const per = (name: string) => randomPerToken(short, name);
    const base = { sequences: short, weights: per("weights") };
    const { config } = await policyLoss({});
    const requests: LossRequest[] = [
      { name: "cross_entropy", ...base },
      { name: "value", ...base, returns: per("returns"), oldValues: per("old"), config: { valueClip: 0.2 } },
      { name: "policy", ...base, oldLogprobs: per("old"), advantages: per("advantages"), config },
      { ...pairwise, chosen: short, rejected: short },
    ];
    const before = (await saved(engine, id, { optimizer: true })).bytes;
    for (const request of requests) {
      const all = short.map((_, i) => i);
      const { loss, nonFinite, partSquaredNorms } = await engine.forwardBackward(id, request, { parts: [all] });
      expect(loss).toBeNaN();
      expect(partSquaredNorms).toEqual([Number.NaN]);
      expect(nonFinite).toBe(2);
      const { skipped, gradNorm } = await engine.optimStep(id, { ...adam, maxGradNorm: 1, weightDecay: 0.1 });
      expect(skipped).toBe(true);
      expect(gradNorm).toBeNaN();
    }
    expect((await saved(engine, id, { optimizer: true })).bytes).toBe(before);
  });

  test.each([Number.NaN, Infinity])(
    "a weight of %s is skipped, and the next step is as if it had not been",
    async (bad) => {
      const [a, b] = [await engine.cloneModel(model), await engine.cloneModel(model)];
      for (const { id } of [a, b]) {
        await engine.forwardBackward(id, crossEntropy);
        await engine.optimStep(id, adam);
      }
      const spoiled = { ...crossEntropy, weights: weights.map((row) => row.map(() => bad)) };
      const { loss } = await engine.forwardBackward(a.id, spoiled);
      expect(Number.isFinite(loss)).toBe(false);
      await engine.forwardBackward(a.id, crossEntropy);
      expect((await engine.optimStep(a.id, adam)).skipped).toBe(true);
      for (const { id } of [a, b]) {
        await engine.forwardBackward(id, value);
        expect((await engine.optimStep(id, adam)).skipped).toBe(false);
      }
      const [first, second] = [
        await saved(engine, a.id, { optimizer: true }),
        await saved(engine, b.id, { optimizer: true }),
      ];
      expect(first.bytes).toBe(second.bytes);
    },
  );
});
