/** The penalty form of the policy loss through the engine: golden numbers, the slow function, finite differences. */
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import {
  gradientOf,
  randomPerToken,
  randomSequences,
  relativeError,
  smallConfig,
} from "../../../test/support/engine.ts";
import { gap, temporaryFolder } from "../../../test/support/gpt2.ts";
import { parameterSpecs } from "../../models/family.ts";
import { writeModelFolder } from "../../models/hf-folder.ts";
import { penaltyTerms } from "../../objectives/penalty-policy.ts";
import { weightedSum } from "../../rl/index.ts";
import type { ModelConfig, ModelId, PolicyLoss } from "../engine.ts";
import { EmbeddedCore } from "./core.ts";

interface Vector {
  readonly id: string;
  readonly input: { logits_T_V: number[][]; oldLogits_T_V: number[][]; tokens_T: number[]; advantages_T: number[] };
  readonly config: { penaltyBeta: number; temperature: number };
  readonly expect: { loss: number; kl_T: number[]; ratio_T: number[]; gradLogits_T_V: number[][] };
}

const vectors = (
  JSON.parse(readFileSync(new URL("../../../test/fixtures/ppo-vectors.json", import.meta.url), "utf8")) as Vector[]
).filter(({ id }) => id.startsWith("penalty."));

const core = new EmbeddedCore({ threads: 2 });
afterAll(() => core.close());

const config: ModelConfig = {
  family: "gpt2",
  vocabularySize: 5,
  context: 5,
  width: 4,
  layers: 1,
  heads: 1,
  tieEmbeddings: false,
};

/** A transformer whose hidden state at position t is the t-th unit vector, so that column t of its head is its logits there. */
async function modelOf(logits_T_V: readonly (readonly number[])[]): Promise<ModelId> {
  const { width } = config;
  // The last norm's output for a unit vector: these values where it is 1 and where it is 0.
  const sd = Math.sqrt(1 / width - 1 / width ** 2 + 1e-5);
  const [one, zero] = [(1 - 1 / width) / sd, -1 / width / sd];
  const values: Readonly<Record<string, (row: number, column: number) => number>> = {
    "transformer.wpe.weight": (t, d) => Number(t === d),
    "transformer.ln_f.weight": () => 1 / (one - zero),
    "transformer.ln_f.bias": () => -zero / (one - zero),
    "lm_head.weight": (v, t) => logits_T_V[t]![v]!,
  };
  const tensors = new Map(
    parameterSpecs(config, ["lm"]).map(({ name, shape }) => {
      const columns = shape.at(-1)!;
      const entry = (i: number) => values[name]?.(Math.floor(i / columns), i % columns) ?? 0;
      return [
        name,
        { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => entry(i)) },
      ];
    }),
  );
  const folder = temporaryFolder();
  writeModelFolder(folder, { config, heads: ["lm"], tensors });
  return (await core.loadModel(folder)).id;
}

describe("golden numbers", () => {
  test("are there", () => expect(vectors.length).toBeGreaterThan(1));

  test.each(vectors)("$id within 1e-5", async ({ input, config: { penaltyBeta, temperature }, expect: golden }) => {
    const { logits_T_V, oldLogits_T_V, tokens_T, advantages_T } = input;
    const [model, oldModel] = [await modelOf(logits_T_V), await modelOf(oldLogits_T_V)];
    const sequences = [{ tokens: [0, ...tokens_T], start: 1 }];
    const old = await core.forward(oldModel, { sequences, outputs: ["logprobs"], temperature });
    const loss: PolicyLoss = {
      name: "policy",
      sequences,
      weights: [tokens_T.map(() => 1 / tokens_T.length)],
      oldLogprobs: old.logprobs!,
      advantages: [advantages_T],
      config: { ...clip, penalty: { beta: penaltyBeta, oldModel }, temperature },
    };
    const result = await core.forwardBackward(model, loss);
    expect(result.loss).toBeCloseTo(golden.loss, 5);
    expect(gap(result.penaltyKl, [golden.kl_T])).toBeLessThan(1e-5);
    const ratio_T = result.logprobs![0]!.map((x, t) => Math.exp(x - old.logprobs![0]![t]!));
    expect(gap([ratio_T], [golden.ratio_T])).toBeLessThan(1e-5);
    await core.zeroGrad(model);
    const gradient = (await gradientOf(core, model, [loss])).get("lm_head.weight")!;
    const gradLogits_T_V = logits_T_V.map((row, t) => row.map((_, v) => gradient[v * config.width + t]!));
    expect(gap(gradLogits_T_V, golden.gradLogits_T_V)).toBeLessThan(1e-5);
  });
});

const clip = { clipLow: 0.2, clipHigh: 0.2, dualClip: null, entropyCoef: 0, kl: null };

describe("a whole model", () => {
  const sequences = randomSequences(4, 5);
  const rows = (name: string, scale?: number, center?: number) => randomPerToken(sequences, name, scale, center);
  const weights = rows("weights", 0.02, 0.05);

  const request = async (options: Partial<PolicyLoss["config"]> & { sampled?: boolean } = {}) => {
    const { sampled = false, ...settings } = options;
    const [model, old] = [
      await core.createModel({ config: smallConfig, heads: ["lm", "scalar"], seed: 1 }),
      await core.createModel({ config: smallConfig, heads: ["lm"], seed: 2 }),
    ].map(({ id }) => id) as [ModelId, ModelId];
    const temperature = 0.8;
    const { logprobs } = await core.forward(old, { sequences, outputs: ["logprobs"], temperature });
    const loss: PolicyLoss = {
      name: "policy",
      sequences,
      weights,
      oldLogprobs: logprobs!,
      refLogprobs: logprobs!,
      advantages: rows("advantages"),
      config: { ...clip, penalty: { beta: 0.7, oldModel: sampled ? null : old }, temperature, ...settings },
    };
    return { model, old, loss };
  };

  test("has the KL of the two forward passes, token by token, and the policy's own entropy bonus and KL beside it", async () => {
    const { model, loss } = await request({ entropyCoef: 0.3, kl: { coef: 0.4, estimator: "k2" } });
    const { loss: found, logprobs, entropy, penaltyKl } = await core.forwardBackward(model, loss);
    let expected = 0;
    for (const [b, row] of logprobs!.entries())
      for (const [t, x] of row.entries()) {
        const d = x - loss.oldLogprobs[b]![t]!;
        const term = -loss.advantages[b]![t]! * Math.exp(d) + 0.7 * penaltyKl![b]![t]! + 0.2 * d * d;
        expected += weights[b]![t]! * (term - 0.3 * entropy![b]![t]!);
      }
    expect(found).toBeCloseTo(expected, 4);
    expect(Math.min(...penaltyKl!.flat())).toBeGreaterThan(0);
  });

  test("moves no gradient into the old model, and none at all if both are the same and nothing is gained", async () => {
    const { old, loss } = await request();
    const still = { ...loss, advantages: loss.advantages.map((row) => row.map(() => 0)) };
    const { gradSquaredNorm, penaltyKl } = await core.forwardBackward(old, still);
    expect(gradSquaredNorm).toBeLessThan(1e-10);
    expect(Math.max(...penaltyKl!.flat().map(Math.abs))).toBeLessThan(1e-5);
    await core.zeroGrad(old);
  });

  test.each([false, true])(
    "has the gradient that finite differences give, along itself (sampled: %s)",
    async (sampled) => {
      const { model, loss } = await request({ sampled });
      const gradient = await gradientOf(core, model, [loss]);
      const squared = [...gradient.values()].flat().reduce((sum, g) => sum + g * g, 0);
      // One plain step down the gradient: Adam without moments, whose steps are g / (|g| + epsilon), with a huge epsilon.
      const [h, epsilon] = [1e-3, 1e6];
      const at = async (sign: number) => {
        const { id } = await core.cloneModel(model);
        await core.forwardBackward(id, loss);
        const sgd = { beta1: 0, beta2: 0, epsilon, weightDecay: 0, maxGradNorm: null };
        await core.optimStep(id, { ...sgd, learningRate: sign * h * epsilon });
        return (await core.forwardBackward(id, loss)).loss;
      };
      const slope = ((await at(1)) - (await at(-1))) / (2 * h);
      expect(slope / -squared).toBeCloseTo(1, 2);
    },
  );

  test("on only the samples: k3 of the ratio", async () => {
    const { model, loss } = await request({ sampled: true });
    const { loss: found, logprobs, penaltyKl } = await core.forwardBackward(model, loss);
    const d_B_T = logprobs!.map((row, b) => row.map((x, t) => x - loss.oldLogprobs[b]![t]!));
    expect(
      gap(
        penaltyKl,
        d_B_T.map((row) => row.map((d) => Math.exp(d) - 1 - d)),
      ),
    ).toBeLessThan(1e-5);
    const terms = d_B_T.map((row, b) =>
      row.map((d, t) => -loss.advantages[b]![t]! * Math.exp(d) + 0.7 * (Math.exp(d) - 1 - d)),
    );
    expect(found).toBeCloseTo(weightedSum(terms, weights), 4);
  });

  test("equals the slow function within 1e-5, summed over a step", async () => {
    const { loss, model, old } = await request();
    const result = await core.forwardBackward(model, loss);
    const whole = await gradientOf(core, model, [loss]);
    const part = (from: number, to: number): PolicyLoss => ({
      ...loss,
      sequences: loss.sequences.slice(from, to),
      weights: loss.weights.slice(from, to),
      oldLogprobs: loss.oldLogprobs.slice(from, to),
      advantages: loss.advantages.slice(from, to),
    });
    expect(relativeError(await gradientOf(core, model, [part(0, 2), part(2, 4)]), whole)).toBeLessThan(1e-5);
    // The distributions of two tokens, found by requesting each token in turn.
    const logitsOf = async (id: ModelId, tokens: readonly number[]) => {
      const asked = Array.from({ length: smallConfig.vocabularySize }, (_, v) => ({
        tokens: [...tokens, v],
        start: tokens.length,
      }));
      const { logprobs } = await core.forward(id, { sequences: asked, outputs: ["logprobs"] });
      return logprobs!.map(([x]) => x!);
    };
    const { tokens, start } = sequences[0]!;
    const before = tokens.slice(0, start);
    const slow = penaltyTerms({
      logits: [await logitsOf(model, before)],
      oldLogits: [await logitsOf(old, before)],
      tokens: [tokens[start]!],
      advantages: [loss.advantages[0]![0]!],
      penaltyBeta: 0.7,
      temperature: 0.8,
    });
    expect(gap([[result.penaltyKl![0]![0]!]], [slow.kl])).toBeLessThan(1e-5);
  });

  test("refuses an old model of a different shape", async () => {
    const { model, loss } = await request();
    const { id } = await core.createModel({ config: { ...smallConfig, width: 8 }, heads: ["lm"], seed: 1 });
    const other = { ...loss, config: { ...loss.config, penalty: { beta: 1, oldModel: id } } };
    await expect(core.forwardBackward(model, other)).rejects.toThrow(/not of the same shape/);
  });
});
