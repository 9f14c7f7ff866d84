/** The engine as seen by the trainer: handles to models, folders, errors that cross the thread, the same bits twice. */
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adam, randomPerToken, randomSequences, saved, smallConfig } from "../../../test/support/engine.ts";
import { gap, temporaryFolder } from "../../../test/support/gpt2.ts";
import { CheckpointError, EngineError, UsageError } from "../../util/errors.ts";
import type { CreateModelRequest, Engine, ForwardRequest, LossRequest, ModelInfo, PolicyLoss } from "../engine.ts";
import { createEmbeddedEngine } from "./index.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await createEmbeddedEngine({ threads: 2 });
});
afterAll(() => engine.close());

const create = (request: Partial<CreateModelRequest> = {}) =>
  engine.createModel({ config: smallConfig, heads: ["lm"], seed: 1, ...request });

const sequences = randomSequences(6, 1);
const loss: LossRequest = { name: "cross_entropy", sequences, weights: randomPerToken(sequences, "weights", 0.1, 0.2) };

async function train(on: Engine, id: string, steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) {
    await on.forwardBackward(id, loss);
    await on.optimStep(id, { ...adam, weightDecay: 0.1, maxGradNorm: 1 });
  }
}

test("a copy into a model that has trained is as a new one, and needs one of the same shape", async () => {
  const { id } = await create();
  const { id: used } = await create({ seed: 2 });
  await train(engine, id, 2);
  await train(engine, used, 3);
  await engine.forwardBackward(used, loss);
  const { id: fresh } = await engine.cloneModel(id, { optimizer: true });
  expect((await engine.cloneModel(id, { optimizer: true, into: used })).id).toBe(used);
  const { id: bare } = await engine.cloneModel(id);
  const { id: reused } = await engine.cloneModel(id, { into: (await engine.cloneModel(used)).id });
  for (const model of [fresh, used, bare, reused]) await train(engine, model, 2);
  const logprobs = async (model: string) =>
    (await engine.forward(model, { sequences, outputs: ["logprobs"] })).logprobs!;
  expect(await logprobs(used)).toEqual(await logprobs(fresh));
  expect(await logprobs(reused)).toEqual(await logprobs(bare));
  const other = await engine.cloneModel(id, { heads: ["scalar"] });
  await expect(engine.cloneModel(id, { into: other.id })).rejects.toThrow("not of the shape");
});

test("a step tells norm, mean and variance of the gradient by group", async () => {
  const { id, parameters } = await create();
  await engine.forwardBackward(id, loss);
  const {
    gradNorm,
    groupNorms = {},
    groupMoments = {},
  } = await engine.optimStep(id, {
    ...adam,
    weightDecay: 0,
    maxGradNorm: null,
  });
  expect(Object.keys(groupMoments)).toEqual(Object.keys(groupNorms));
  expect(Math.hypot(...Object.values(groupNorms))).toBeCloseTo(gradNorm!, 6);
  // Squared norm = entries (variance + mean^2), so that all groups together have as many entries as the model.
  const entries = Object.entries(groupMoments).map(
    ([group, { mean, variance }]) => groupNorms[group]! ** 2 / (variance + mean ** 2),
  );
  expect(entries.reduce((a, b) => a + b)).toBeCloseTo(parameters, 0);
  for (const { mean, variance } of Object.values(groupMoments))
    expect(Math.abs(mean)).toBeLessThan(Math.sqrt(variance));
});

describe("a call that samples", () => {
  const long = { ...smallConfig, context: 600 };
  const request = {
    ...{ prompts: [[1, 2], [3]], maxNewTokens: 590, stopTokens: [], temperature: 1, topK: 0, topP: 1, seed: 1 },
  };

  test("tells how far it is, and the same tokens come", async () => {
    const { id } = await create({ config: long });
    const told: (readonly [done: number, most: number])[] = [];
    const result = await engine.sample(id, request, { onProgress: (...one) => told.push(one) });
    expect(told.length).toBeGreaterThan(10);
    for (const [i, [done, most]] of told.entries()) {
      expect(most).toBe(2 * 590);
      expect(done).toBeGreaterThan(told[i - 1]?.[0] ?? 0);
      expect(done).toBeLessThan(most);
    }
    expect(await engine.sample(id, request)).toEqual(result);
  });

  test("ends early if what it tells throws, and the next call is as ever", async () => {
    const { id } = await create({ config: { ...long, context: 6000 } });
    const many = { ...request, prompts: Array.from({ length: 64 }, () => [1]), maxNewTokens: 5990 };
    const result = await engine.sample(id, request);
    const told: number[] = [];
    const leave = (done: number) => {
      told.push(done);
      throw new Error("leaving");
    };
    await expect(engine.sample(id, many, { onProgress: leave })).rejects.toThrow("leaving");
    // Whole, the call before would take minutes.
    expect(await engine.sample(id, request)).toEqual(result);
    expect(told).toEqual([64 * 8]);
  }, 30_000);
});

async function expectError(call: Promise<unknown>, kind: new (message: string) => Error, message: string | RegExp) {
  await expect(call).rejects.toBeInstanceOf(kind);
  await expect(call).rejects.toThrow(message);
}

describe("models by handle", () => {
  test("say what they are", async () => {
    const { config, heads, parameters } = await create({ heads: ["lm", "scalar"] });
    expect(config).toEqual(smallConfig);
    expect(heads).toEqual(["lm", "scalar"]);
    const { width: D, layers, vocabularySize, context } = smallConfig;
    const block = 4 * D + (3 * D * D + 3 * D) + (D * D + D) + (4 * D * D + 4 * D) + (4 * D * D + D);
    expect(parameters).toBe((vocabularySize + context) * D + layers * block + 2 * D + D + 1);
    const untied = await create({ config: { ...smallConfig, tieEmbeddings: false } });
    expect(untied.parameters - (await create()).parameters).toBe(vocabularySize * D);
  });

  test("a clone is a copy: the same bits, and no common memory", async () => {
    const source = await create();
    const clone = await engine.cloneModel(source.id);
    expect(clone.id).not.toBe(source.id);
    const before = await saved(engine, source.id);
    expect((await saved(engine, clone.id)).bytes).toBe(before.bytes);
    await train(engine, clone.id, 1);
    expect((await saved(engine, source.id)).bytes).toBe(before.bytes);
    expect((await saved(engine, clone.id)).bytes).not.toBe(before.bytes);
  });

  test("a clone takes neither gradient nor optimizer with it", async () => {
    const source = await create();
    await train(engine, source.id, 2);
    await engine.forwardBackward(source.id, loss);
    const { id } = await engine.cloneModel(source.id);
    await expectError(engine.optimStep(id, adam), EngineError, "no gradient was accumulated");
  });

  test("a new value head is 0 everywhere, a new reward head normal with sd 1/sqrt(width + 1)", async () => {
    const config = { ...smallConfig, width: 128, heads: 4 };
    const source = await create({ config });
    const zero = await engine.cloneModel(source.id, { heads: ["scalar"] });
    expect(zero.heads).toEqual(["scalar"]);
    const { values } = await engine.forward(zero.id, { sequences, outputs: ["values"] });
    expect(new Set(values!.flat())).toEqual(new Set([0]));
    const normal = await engine.cloneModel(source.id, { heads: ["lm", "scalar"], scalarInit: "normal", seed: 5 });
    const { weights } = await saved(engine, normal.id);
    const entries = Array.from(weights.get("score.weight")!.data);
    const sd = Math.sqrt(entries.reduce((sum, x) => sum + x * x, 0) / entries.length);
    expect(Math.abs(sd * Math.sqrt(129) - 1)).toBeLessThan(4 / Math.sqrt(2 * 128));
    expect([...weights.get("score.bias")!.data]).toEqual([0]);
    const trunk = (await saved(engine, source.id)).weights;
    for (const [name, { data }] of trunk) expect(weights.get(name)!.data).toEqual(data);
    const other = await engine.cloneModel(source.id, { heads: ["scalar"], scalarInit: "normal", seed: 6 });
    expect((await saved(engine, other.id)).weights.get("score.weight")!.data).not.toEqual(Float32Array.from(entries));
  });

  test("an exponential average moves each parameter", async () => {
    const [target, source] = [await create(), await create({ seed: 2 })];
    const [before, from] = [await saved(engine, target.id), await saved(engine, source.id)];
    await engine.ema(target.id, source.id, 0.9);
    const after = await saved(engine, target.id);
    for (const [name, { data }] of after.weights) {
      const [old, moved] = [before.weights.get(name)!.data, from.weights.get(name)!.data];
      const expected = Array.from(old, (x, i) => 0.9 * x + 0.1 * moved[i]!);
      expect(gap([Array.from(data)], [expected])).toBeLessThan(1e-6);
    }
    expect((await saved(engine, source.id)).bytes).toBe(from.bytes);
    await engine.ema(target.id, source.id, 1);
    expect((await saved(engine, target.id)).bytes).toBe(after.bytes);
    await engine.ema(target.id, source.id, 0);
    expect((await saved(engine, target.id)).bytes).toBe(from.bytes);
    const wide = await create({ config: { ...smallConfig, width: 32 } });
    await expectError(engine.ema(target.id, wide.id, 0.5), EngineError, /ema: models of \d+ and \d+ parameters differ/);
  });

  test("one that was disposed of is gone, and says so", async () => {
    const { id } = await create();
    await engine.disposeModel(id);
    const message = `there is no model ${id}; it may have been disposed of`;
    const sampling = { maxNewTokens: 1, stopTokens: [], temperature: 1, topK: 0, topP: 1, seed: 1 };
    await expectError(engine.forward(id, { sequences, outputs: ["logprobs"] }), EngineError, message);
    await expectError(engine.sample(id, { ...sampling, prompts: [[1]] }), EngineError, message);
    await expectError(engine.forwardBackward(id, loss), EngineError, message);
    await expectError(engine.optimStep(id, adam), EngineError, message);
    await expectError(engine.zeroGrad(id), EngineError, message);
    await expectError(engine.cloneModel(id), EngineError, message);
    await expectError(engine.saveModel(id, temporaryFolder()), EngineError, message);
    await expectError(engine.ema(id, id, 0.5), EngineError, message);
    await expectError(engine.disposeModel(id), EngineError, message);
    await expectError(engine.forward("model-x", { sequences, outputs: ["logprobs"] }), EngineError, "model-x");
  });
});

describe("folders", () => {
  test.each([
    [true, ["lm"]],
    [false, ["lm"]],
    [true, ["scalar"]],
    [false, ["lm", "scalar"]],
  ] as const)(
    "tied %s, heads %j: loaded with its optimizer, training goes on to the bit",
    async (tieEmbeddings, heads) => {
      const config = { ...smallConfig, tieEmbeddings };
      const { id } = await create({ config, heads: [...heads], scalarInit: "normal" });
      const per = (name: string) => randomPerToken(sequences, name, 0.1);
      const values: LossRequest = {
        ...{ name: "value", sequences, weights: per("weights"), returns: per("returns"), oldValues: per("old") },
        config: { valueClip: null },
      };
      const step = async (model: string) => {
        if (heads[0] === "lm") await engine.forwardBackward(model, loss);
        if (heads.at(-1) === "scalar") await engine.forwardBackward(model, values);
        await engine.optimStep(model, adam);
      };
      for (let i = 0; i < 3; i++) await step(id);
      const { folder } = await saved(engine, id, { optimizer: true });
      const loaded = await engine.loadModel(folder, { optimizer: true });
      expect(loaded).toMatchObject({ config, heads });
      for (const model of [id, loaded.id]) for (let i = 0; i < 3; i++) await step(model);
      const [a, b] = [
        await saved(engine, id, { optimizer: true }),
        await saved(engine, loaded.id, { optimizer: true }),
      ];
      expect(a.bytes).toBe(b.bytes);
    },
  );

  test("without the optimizer, moments start anew; asked for, they must be there", async () => {
    const { id } = await create();
    await train(engine, id, 2);
    const { folder } = await saved(engine, id);
    await expectError(engine.loadModel(folder, { optimizer: true }), CheckpointError, /optimizer\.safetensors: ENOENT/);
    const loaded = await engine.loadModel(folder);
    const fresh = await engine.cloneModel(id);
    await train(engine, loaded.id, 1);
    await train(engine, fresh.id, 1);
    expect((await saved(engine, loaded.id)).bytes).toBe((await saved(engine, fresh.id)).bytes);
  });

  test("a model that never took a step has no moments to write, and none to miss", async () => {
    const { id } = await create();
    await train(engine, id, 2);
    const still = await engine.cloneModel(id);
    const { folder } = await saved(engine, still.id, { optimizer: true });
    expect(statSync(join(folder, "optimizer.safetensors")).size).toBeLessThan(100);
    const loaded = await engine.loadModel(folder, { optimizer: true });
    for (const model of [still.id, loaded.id]) await train(engine, model, 2);
    expect((await saved(engine, loaded.id)).bytes).toBe((await saved(engine, still.id)).bytes);
  });

  test("loaded with another head, as a critic from a policy is", async () => {
    const { id } = await create();
    const { folder } = await saved(engine, id);
    const critic = await engine.loadModel(folder, { heads: ["scalar"], scalarInit: "zero" });
    const { values } = await engine.forward(critic.id, { sequences, outputs: ["values"] });
    expect(new Set(values!.flat())).toEqual(new Set([0]));
  });

  test("damaged ones are CheckpointErrors with a hint, across the thread", async () => {
    const { id } = await create();
    await train(engine, id, 1);
    const { folder } = await saved(engine, id, { optimizer: true });
    const weights = join(folder, "model.safetensors");
    const bytes = readFileSync(weights);
    const moments = join(folder, "optimizer.safetensors");
    const good = readFileSync(moments);
    for (const spoiled of [good.subarray(0, good.length - 4), bytes]) {
      writeFileSync(moments, spoiled);
      await expectError(engine.loadModel(folder, { optimizer: true }), CheckpointError, /optimizer\.safetensors/);
      await engine.loadModel(folder);
    }
    writeFileSync(weights, bytes.subarray(0, bytes.length - 1));
    const call = engine.loadModel(folder);
    await expectError(call, CheckpointError, /model\.safetensors is truncated or damaged/);
    await expect(call).rejects.toMatchObject({ hint: "Use an earlier checkpoint, or copy the file again." });
    rmSync(join(folder, "config.json"));
    await expectError(engine.loadModel(folder), CheckpointError, /config\.json/);
    await expectError(engine.saveModel(id, join(folder, "nowhere")), EngineError, /ENOENT/);
  });
});

describe("the forward pass", () => {
  let both: ModelInfo;
  beforeAll(async () => {
    both = await create({ heads: ["lm", "scalar"], scalarInit: "normal" });
  });

  test("of many sequences is that of each alone, in the order asked for", async () => {
    const many = randomSequences(200, 3);
    const outputs = ["entropy", "values", "logprobs"] as const;
    const together = await engine.forward(both.id, { sequences: many, outputs, temperature: 0.7 });
    const scores = (await engine.forward(both.id, { sequences: many, outputs: ["score"] })).scores!;
    for (const i of [0, 3, 57, 199]) {
      const alone = await engine.forward(both.id, { sequences: [many[i]!], outputs, temperature: 0.7 });
      for (const output of outputs) expect(gap([together[output]![i]!], alone[output]!)).toBeLessThan(1e-5);
      const score = await engine.forward(both.id, { sequences: [many[i]!], outputs: ["score"] });
      expect(gap([[scores[i]!]], [score.scores!])).toBeLessThan(1e-5);
    }
  });

  test("probabilities of every token add up to 1, and entropy is theirs", async () => {
    const candidates = Array.from({ length: smallConfig.vocabularySize }, (_, token) => ({
      tokens: [3, 1, token],
      start: 2,
    }));
    const outputs = ["logprobs", "entropy"] as const;
    const { logprobs, entropy } = await engine.forward(both.id, { sequences: candidates, outputs, temperature: 1.4 });
    const p = logprobs!.map(([logprob]) => Math.exp(logprob!));
    expect(p.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
    const expected = -p.reduce((sum, x) => sum + x * Math.log(x), 0);
    for (const [value] of entropy!) expect(value).toBeCloseTo(expected, 5);
  });

  test("no position sees what comes after it, nor its neighbours in the batch", async () => {
    const base = { tokens: [4, 8, 15, 16, 23], start: 1 };
    const changed = { tokens: [4, 8, 15, 16, 2], start: 1 };
    const long = { tokens: Array.from({ length: 24 }, (_, i) => i), start: 1 };
    const outputs = ["logprobs"] as const;
    const { logprobs } = await engine.forward(both.id, { sequences: [base, changed, long], outputs });
    expect(logprobs![1]!.slice(0, 3)).toEqual(logprobs![0]!.slice(0, 3));
    const alone = await engine.forward(both.id, { sequences: [base], outputs });
    expect(gap([logprobs![0]!], alone.logprobs!)).toBeLessThan(1e-5);
  });

  test("of sequences with nothing to score is empty", async () => {
    const empty = { tokens: [1, 2, 3], start: 3 };
    const request = { sequences: [empty, empty], outputs: ["logprobs", "entropy", "values"] } as const;
    expect(await engine.forward(both.id, request)).toEqual({
      logprobs: [[], []],
      entropy: [[], []],
      values: [[], []],
    });
  });

  test("of no sequences is nothing", async () => {
    expect(await engine.forward(both.id, { sequences: [], outputs: ["logprobs"] })).toEqual({ logprobs: [] });
  });

  const long = Array.from({ length: smallConfig.context + 1 }, () => 1);
  test.each<[string, Partial<ForwardRequest>, string]>([
    ["an empty sequence", { sequences: [{ tokens: [], start: 1 }] }, "sequence 0 is empty"],
    ["a start of 0", { sequences: [{ tokens: [1, 2], start: 0 }] }, "starts at 0; start must be 1 to 2"],
    ["a start behind the end", { sequences: [{ tokens: [1, 2], start: 3 }] }, "starts at 3; start must be 1 to 2"],
    [
      "a token outside the vocabulary",
      { sequences: [{ tokens: [1, 29], start: 1 }] },
      "token 29; the model's vocabulary has 29",
    ],
    ["more than the context", { sequences: [{ tokens: long, start: 1 }] }, "has 25 tokens; the model's context is 24"],
    ["no outputs", { outputs: [] }, "forward: no outputs were asked for"],
    ["scores and others", { outputs: ["score", "values"] }, '"score" stands alone'],
  ])("%s", async (_, change, message) => {
    const request: ForwardRequest = { sequences, outputs: ["logprobs"], ...change };
    await expectError(engine.forward(both.id, request), EngineError, message);
  });

  test("a head that is missing is named", async () => {
    const { id } = await create();
    const critic = await create({ heads: ["scalar"] });
    await expectError(
      engine.forward(id, { sequences, outputs: ["values"] }),
      EngineError,
      /has no scalar head \(it has lm\)/,
    );
    await expectError(engine.forward(critic.id, { sequences, outputs: ["entropy"] }), EngineError, /has no lm head/);
    await expectError(engine.forwardBackward(critic.id, loss), EngineError, /has no lm head/);
  });
});

describe("losses whose arrays do not fit are EngineErrors with the numbers", () => {
  const short = [{ tokens: [1, 2, 3, 4], start: 2 }];
  const policy: PolicyLoss = {
    name: "policy",
    sequences: short,
    weights: [[1, 1]],
    oldLogprobs: [[0, 0]],
    advantages: [[1, 1]],
    config: { clipLow: 0.2, clipHigh: 0.2, dualClip: null, entropyCoef: 0, kl: null, temperature: 1 },
  };
  test.each<[string, LossRequest, string]>([
    ["rows", { ...policy, weights: [] }, "weights has 0 rows for 1 sequences"],
    ["entries", { ...policy, advantages: [[1]] }, "advantages[0] has 1 entries for 2 scored tokens"],
    [
      "no reference",
      { ...policy, config: { ...policy.config, kl: { coef: 0.1, estimator: "k3" } } },
      "a KL term in the loss needs refLogprobs",
    ],
    [
      "pairs",
      { name: "pairwise", chosen: short, rejected: [], margins: [0], weights: [1] },
      "pairwise: 1 chosen, 0 rejected, 1 margins, 1 weights",
    ],
  ])("%s", async (_, request, message) => {
    const { id } = await create({ heads: ["lm", "scalar"] });
    await expectError(engine.forwardBackward(id, request), EngineError, message);
    // A refused request leaves no gradient behind.
    await expectError(engine.optimStep(id, adam), EngineError, "no gradient was accumulated");
  });
});

describe("the thread", () => {
  test("errors keep their kind and their hint", async () => {
    const wrong = create({ config: { ...smallConfig, heads: 3 } });
    await expectError(wrong, UsageError, "model width 16 is not divisible by 3 heads");
    await expect(wrong).rejects.toMatchObject({ hint: "Make width a multiple of heads.", exitCode: 2 });
    const { id } = await create();
    const call = engine.forward(id, { sequences: [{ tokens: [99, 1], start: 1 }], outputs: ["logprobs"] });
    await expect(call).rejects.toMatchObject({
      name: "EngineError",
      hint: "The tokenizer does not belong to this model.",
    });
    await expectError(create({ heads: [] }), EngineError, "a model needs at least one head: lm or scalar");
  });

  test("two engines and the same seed: the same bits", async () => {
    const other = await createEmbeddedEngine({ threads: 2 });
    const outcomes = [];
    for (const each of [engine, other]) {
      const { id } = await each.createModel({ config: smallConfig, heads: ["lm"], seed: 9 });
      await train(each, id, 5);
      const sampling = { maxNewTokens: 12, stopTokens: [3], temperature: 0.9, topK: 0, topP: 1, seed: 4 };
      const samples = await each.sample(id, { ...sampling, prompts: [[1], [2, 3], [4, 5, 6]] });
      outcomes.push({ samples, bytes: (await saved(each, id, { optimizer: true })).bytes });
    }
    await other.close();
    expect(outcomes[0]).toEqual(outcomes[1]);
  });

  test("calls are answered in the order in which they were made", async () => {
    const { id } = await create();
    const order: number[] = [];
    const calls = [0, 1, 2, 3].map((i) => engine.forwardBackward(id, loss).then(() => order.push(i)));
    const step = engine.optimStep(id, adam).then(() => order.push(4));
    await Promise.all([...calls, step]);
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });

  test("says what it runs on and what it has used", async () => {
    const info = await engine.info();
    expect(info).toMatchObject({
      name: "embedded",
      threads: 2,
      capabilities: { bitExact: true, truncatedSampling: true },
    });
    expect(info.versions).toMatchObject({
      node: process.versions.node,
      "onnxruntime-node": expect.stringMatching(/^\d/),
    });
    const before = await engine.usage();
    const { id } = await create();
    await engine.forwardBackward(id, loss);
    const after = await engine.usage();
    expect(after.nativeSeconds).toBeGreaterThan(before.nativeSeconds);
    expect(after.residentMb).toBeGreaterThan(20);
  });

  test("once closed, it refuses, and may be closed again", async () => {
    const short = await createEmbeddedEngine({ threads: 1 });
    const { id } = await short.createModel({ config: smallConfig, heads: ["lm"], seed: 1 });
    const pending = short.forwardBackward(id, loss);
    await short.close();
    await expect(pending).resolves.toMatchObject({ loss: expect.any(Number) });
    await expectError(short.forwardBackward(id, loss), EngineError, /the engine has ended/);
    await short.close();
  });
});

test.each([100_000, -1, 1.5, Number.NaN])("%d threads are refused before any is made", async (threads) => {
  const call = createEmbeddedEngine({ threads });
  await expect(call).rejects.toBeInstanceOf(UsageError);
  await expect(call).rejects.toThrow(`threads is ${threads}; it must be a whole number from 0`);
});
