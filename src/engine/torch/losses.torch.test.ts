/** The PyTorch engine's arithmetic: golden numbers in float64, the slow loops of every form of loss, and the embedded engine's gradients and folders. */
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
import { type FixtureModel, fixture, fixtureLosses, gap, writeFixture } from "../../../test/support/gpt2.ts";
import { startTimeout, torchEngine } from "../../../test/support/torch.ts";
import { policyTerms } from "../../objectives/clipped-policy.ts";
import { extraTerms } from "../../objectives/policy-extras.ts";
import { createEmbeddedEngine } from "../embedded/index.ts";
import type { Engine, ModelId, PolicyLoss } from "../engine.ts";

const sequences = randomSequences(7, 3);
const weights = randomPerToken(sequences, "weights", 0.05, 0.1);
const config = { clipLow: 0.2, clipHigh: 0.3, dualClip: null, entropyCoef: 0, kl: null, temperature: 1 };
const forms: readonly (readonly [string, Partial<PolicyLoss["config"]>])[] = [
  ["clip", {}],
  ["dual clip", { dualClip: 1.2 }],
  ["entropy bonus at a temperature", { entropyCoef: 0.3, temperature: 0.7 }],
  ["KL in the loss, k2", { kl: { coef: 0.4, estimator: "k2" } }],
  ["KL in the loss, k3, with everything", { kl: { coef: 0.4, estimator: "k3" }, entropyCoef: 0.1, dualClip: 1.5 }],
  ["penalty on the samples", { penalty: { beta: 0.7, oldModel: null } }],
  ["penalty over the vocabulary", { penalty: { beta: 0.7, oldModel: "old" }, temperature: 1.3, entropyCoef: 0.05 }],
];

describe("the PyTorch engine's arithmetic", () => {
  let torch: Engine;
  let embedded: Engine;
  const goldenIds = {} as Record<FixtureModel, ModelId>;
  beforeAll(async () => {
    [torch, embedded] = [await torchEngine(), await createEmbeddedEngine({ threads: 1 })];
    for (const model of ["tied", "untied", "score"] as const)
      goldenIds[model] = (await torch.loadModel(writeFixture(model))).id;
  }, startTimeout);
  afterAll(async () => {
    await torch.close();
    await embedded.close();
  });

  test.each(["1", "0.7"] as const)("log-probabilities and entropy at temperature %s", async (temperature) => {
    const outputs = ["logprobs", "entropy"] as const;
    const request = { sequences: fixture.sequences, outputs, temperature: Number(temperature) };
    const { logprobs, entropy } = await torch.forward(goldenIds.tied, request);
    expect(gap(logprobs, fixture.forward[temperature].logprobs)).toBeLessThan(1e-5);
    expect(gap(entropy, fixture.forward[temperature].entropy)).toBeLessThan(1e-5);
  });

  test.each(fixtureLosses)("$key: loss and every gradient", async ({ model, expected, request }) => {
    const id = goldenIds[model];
    const { loss } = await torch.forwardBackward(id, request);
    await torch.zeroGrad(id);
    expect(loss).toBeCloseTo(expected.loss, 5);
    const gradients = await gradientOf(torch, id, [request]);
    expect([...gradients.keys()].sort()).toEqual(Object.keys(expected.gradients).sort());
    for (const [name, { data }] of Object.entries(expected.gradients)) {
      const largest = Math.max(1e-2, ...data.map(Math.abs));
      const worst = Math.max(...data.map((x, i) => Math.abs(gradients.get(name)![i]! - x)));
      expect({ name, worst: worst / largest < 2e-5 }).toEqual({ name, worst: true });
    }
  });

  test("two steps of AdamW with clipping and decay", async () => {
    const { id } = await torch.cloneModel(goldenIds.tied);
    const { request } = fixtureLosses.find(({ key }) => key === "cross_entropy")!;
    for (const norm of fixture.step.gradNorms) {
      await torch.forwardBackward(id, request);
      expect((await torch.optimStep(id, fixture.step.request)).gradNorm).toBeCloseTo(norm, 4);
    }
    const { weights: after } = await saved(torch, id);
    for (const [name, { data }] of Object.entries(fixture.step.parameters))
      expect(gap([Array.from(after.get(name)!.data)], [[...data]])).toBeLessThan(1e-5);
  });

  test.each(forms)("policy, %s: the slow loop's loss, the embedded engine's gradient", async (_, form) => {
    const loss = async (engine: Engine): Promise<{ id: ModelId; request: PolicyLoss }> => {
      const { id } = await engine.createModel({ config: smallConfig, heads: ["lm"], seed: 1 });
      const old = await engine.createModel({ config: smallConfig, heads: ["lm"], seed: 2 });
      const { temperature } = { ...config, ...form };
      const read = async (model: ModelId) =>
        (await engine.forward(model, { sequences, outputs: ["logprobs"], temperature })).logprobs;
      const penalty = form.penalty && { ...form.penalty, oldModel: form.penalty.oldModel && old.id };
      const rows = { oldLogprobs: await read(old.id), advantages: randomPerToken(sequences, "advantages") };
      const reference = { refLogprobs: randomPerToken(sequences, "reference", 0.3, -3) };
      return {
        id,
        request: { name: "policy", sequences, weights, ...rows, ...reference, config: { ...config, ...form, penalty } },
      };
    };
    const ours = await loss(torch);
    const result = await torch.forwardBackward(ours.id, ours.request);
    await torch.zeroGrad(ours.id);
    const { oldLogprobs, advantages, refLogprobs, config: settings } = ours.request;
    const { logprobs, entropy, penaltyKl } = result as Required<typeof result>;
    const penalised = (b: number, t: number) => {
      const logRatio = logprobs[b]![t]! - oldLogprobs[b]![t]!;
      const kl = Math.exp(logRatio) - 1 - logRatio;
      if (settings.penalty?.oldModel === null) expect(penaltyKl[b]![t]!).toBeCloseTo(kl, 5);
      return -advantages[b]![t]! * Math.exp(logRatio) + settings.penalty!.beta * penaltyKl[b]![t]!;
    };
    const clipped = policyTerms({ logprobs, oldLogprobs, advantages, ...settings }).loss;
    const term = (b: number, t: number) => (settings.penalty ? penalised(b, t) : clipped[b]![t]!);
    const extra = extraTerms({ logprobs, refLogprobs, entropy, ...settings });
    const sum = weights.flatMap((row, b) => row.map((w, t) => w * (term(b, t) + extra.loss[b]![t]!)));
    expect(Math.abs(result.loss - sum.reduce((a, b) => a + b, 0))).toBeLessThan(1e-5);
    const theirs = await loss(embedded);
    const twin = await embedded.forwardBackward(theirs.id, theirs.request);
    await embedded.zeroGrad(theirs.id);
    expect(Math.abs(twin.loss - result.loss)).toBeLessThan(1e-5 * Math.max(1, Math.abs(twin.loss)));
    expect(gap(result.penaltyKl ?? [], twin.penaltyKl ?? [])).toBeLessThan(1e-5);
    const [a, b] = [
      await gradientOf(torch, ours.id, [ours.request]),
      await gradientOf(embedded, theirs.id, [theirs.request]),
    ];
    expect(relativeError(a, b)).toBeLessThan(1e-5);
  });

  test.each([
    ["embedded to PyTorch", true],
    ["PyTorch to embedded", false],
  ])("a checkpoint goes from %s: log-probabilities within 1e-5, and the next steps the same", async (_, forward) => {
    const [from, to] = forward ? [embedded, torch] : [torch, embedded];
    const textIds = { below: 27, missing: [3] };
    const texts = randomSequences(6, 8, { ...smallConfig, vocabularySize: 27 }).map(({ tokens, start }) => ({
      tokens: tokens.map((token) => (token === 3 ? 4 : token)),
      start,
    }));
    const loss = { name: "cross_entropy", sequences: texts, weights: randomPerToken(texts, "w", 0.1, 0.2) } as const;
    const request = {
      config: { ...smallConfig, textIds },
      heads: ["lm", "scalar"],
      scalarInit: "normal",
      seed: 3,
    } as const;
    const source = await from.createModel(request);
    const step = async (engine: Engine, id: ModelId) => {
      await engine.forwardBackward(id, loss);
      await engine.optimStep(id, {
        ...adam,
        learningRate: 1e-3,
        weightDecay: 0.1,
        maxGradNorm: 1,
        rateFactors: { embeddings: 0.5 },
      });
    };
    for (let i = 0; i < 3; i++) await step(from, source.id);
    const { folder } = await saved(from, source.id, { optimizer: true });
    const loaded = await to.loadModel(folder, { optimizer: true, textIds });
    expect(loaded.config).toEqual(source.config);
    expect(loaded.heads).toEqual(source.heads);
    for (let i = 0; i < 3; i++) {
      const outputs = ["logprobs", "entropy", "values"] as const;
      const a = await from.forward(source.id, { sequences: texts, outputs });
      const b = await to.forward(loaded.id, { sequences: texts, outputs });
      for (const output of outputs) expect(gap(a[output], b[output])).toBeLessThan(1e-5);
      await step(from, source.id);
      await step(to, loaded.id);
    }
  });

  test("a model from scratch is the embedded engine's, to the bit", async () => {
    const request = { config: smallConfig, heads: ["lm", "scalar"], scalarInit: "normal", seed: 5 } as const;
    const [a, b] = [await torch.createModel(request), await embedded.createModel(request)];
    expect(a).toMatchObject({ config: b.config, heads: b.heads, parameters: b.parameters });
    const [x, y] = [await saved(torch, a.id), await saved(embedded, b.id)];
    for (const [name, { data }] of y.weights) expect([...x.weights.get(name)!.data]).toEqual([...data]);
  });
});
