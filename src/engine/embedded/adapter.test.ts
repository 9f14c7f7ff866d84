/** Adapters in the engine: what they compute, what is trained, what is shared, and the average of their products. */
import { afterAll, describe, expect, test } from "vitest";
import { adam, randomPerToken, randomSequences, saved, smallConfig } from "../../../test/support/engine.ts";
import { gap, temporaryFolder } from "../../../test/support/gpt2.ts";
import { uniformGrid } from "../../../test/support/graphs.ts";
import { evaluate, type Grid } from "../../../test/support/interpreter.ts";
import { newAdapter } from "../../models/adapter.ts";
import { blockProjections, parameterSpecs, withDefaultOptions } from "../../models/family.ts";
import { topological } from "../../tensor/graph.ts";
import type { AdapterRequest, LossRequest, ModelConfig, ModelId } from "../engine.ts";
import { EmbeddedCore } from "./core.ts";
import { type LossShape, lossGraph } from "./losses.ts";

const core = new EmbeddedCore({ threads: 1 });
afterAll(() => core.close());

/** Matrices stored [outputs, inputs], without biases, with grouped queries. */
const llama: ModelConfig = withDefaultOptions({ ...smallConfig, family: "llama", kvHeads: 1, innerWidth: 24 });

const rank4: AdapterRequest = { rank: 4, alpha: 8 };
const sequences = randomSequences(6, 3);
const lessons: LossRequest = {
  name: "cross_entropy",
  sequences,
  weights: randomPerToken(sequences, "weights", 0.01, 0.03),
};
const values: LossRequest = {
  name: "value",
  sequences,
  weights: randomPerToken(sequences, "weights", 0.01, 0.03),
  returns: randomPerToken(sequences, "returns"),
  oldValues: randomPerToken(sequences, "old"),
  config: { valueClip: null },
};

async function base(config: ModelConfig = smallConfig): Promise<string> {
  const { id } = await core.createModel({ config, heads: ["lm"], seed: 5 });
  const { folder } = await saved(core, id);
  await core.disposeModel(id);
  return folder;
}

async function train(id: ModelId, loss: LossRequest, steps = 3): Promise<void> {
  for (let step = 0; step < steps; step++) {
    await core.forwardBackward(id, loss);
    await core.optimStep(id, adam);
  }
}

const logprobsOf = async (id: ModelId) =>
  (await core.forward(id, { sequences, outputs: ["logprobs"] })).logprobs as number[][];
const valuesOf = async (id: ModelId) =>
  (await core.forward(id, { sequences, outputs: ["values"] })).values as number[][];

describe("a new adapter", () => {
  test.each([4, 0])("of rank %d has the base's log-probabilities and samples to the bit", async (rank) => {
    const folder = await base();
    const plain = await core.loadModel(folder);
    const adapted = await core.loadModel(folder, { adapter: { rank, alpha: 8 } });
    expect(await logprobsOf(adapted.id)).toEqual(await logprobsOf(plain.id));
    const request = {
      prompts: [[1, 2], [3]],
      maxNewTokens: 9,
      stopTokens: [],
      temperature: 1,
      topK: 0,
      topP: 1,
      seed: 2,
    };
    expect(await core.sample(adapted.id, request)).toEqual(await core.sample(plain.id, request));
    // 4 projections a block: 16 to 48, 16 to 16, 16 to 64 and 64 to 16.
    expect(adapted.trained).toBe(rank * 2 * (16 + 48 + 16 + 16 + 16 + 64 + 64 + 16));
    expect(plain.trained).toBe(plain.parameters);
  });

  test("learns, leaves the base as it is, and its samples have the log-probabilities of the forward pass", async () => {
    const folder = await base();
    const before = await core.loadModel(folder, { frozen: true });
    const start = await logprobsOf(before.id);
    const { id } = await core.loadModel(folder, { adapter: rank4 });
    const first = (await core.forwardBackward(id, lessons)).loss;
    await core.zeroGrad(id);
    await train(id, lessons, 12);
    const last = (await core.forwardBackward(id, lessons)).loss;
    expect(last).toBeLessThan(0.9 * first);
    expect(await logprobsOf(before.id)).toEqual(start);
    const prompts = [[3, 4], [5], [6, 7, 8]];
    const request = { prompts, maxNewTokens: 12, stopTokens: [], temperature: 1, topK: 0, topP: 1, seed: 2 };
    const { tokens, logprobs } = await core.sample(id, request);
    const read = prompts.map((prompt, i) => ({ tokens: [...prompt, ...tokens[i]!], start: prompt.length }));
    expect(gap(logprobs, (await core.forward(id, { sequences: read, outputs: ["logprobs"] })).logprobs!)).toBeLessThan(
      1e-5,
    );
  });

  test("targets choose its projections, and one that means none is refused with those that there are", async () => {
    const folder = await base();
    const { trained, config } = await core.loadModel(folder, {
      adapter: { ...rank4, targets: ["attn.c_proj", "c_fc"] },
    });
    expect(trained).toBe(4 * 2 * (16 + 16 + 16 + 64));
    expect(config.adapter!.modules.map(({ name }) => name.replace(/.*h\.\d\./, ""))).toEqual([
      ...["attn.c_proj", "mlp.c_fc", "attn.c_proj", "mlp.c_fc"],
    ]);
    const unknown = core.loadModel(folder, { adapter: { ...rank4, targets: ["q_proj", "c_fc"] } });
    await expect(unknown).rejects.toThrow("the model has no projection q_proj for an adapter");
    await expect(unknown).rejects.toHaveProperty("hint", "Its projections are c_attn, c_proj, c_fc.");
  });

  test("its scale is alpha / rank, or alpha / sqrt(rank)", async () => {
    const folder = await base();
    const of = async (adapter: AdapterRequest) => {
      const { id } = await core.loadModel(folder, { adapter, seed: 3 });
      // One step from B = 0 is the same whatever the scale: Adam divides by the gradient's size.
      await core.forwardBackward(id, lessons);
      await core.optimStep(id, { ...adam, epsilon: 1e-12 });
      return logprobsOf(id);
    };
    const [four, half, rs] = [
      await of(rank4),
      await of({ rank: 4, alpha: 4 }),
      await of({ rank: 4, alpha: 4, rslora: true }),
    ];
    expect(gap(rs, four)).toBeLessThan(1e-5);
    expect(gap(half, four)).toBeGreaterThan(1e-3);
  });

  test("with a value head trains both, and a frozen model nothing", async () => {
    const folder = await base();
    const critic = await core.loadModel(folder, { heads: ["scalar"], adapter: rank4, freshScalar: true });
    expect(critic.trained).toBe(4 * 2 * (16 + 48 + 16 + 16 + 16 + 64 + 64 + 16) + 17);
    await train(critic.id, values, 2);
    expect(
      gap(await valuesOf(critic.id), [...sequences.map(({ tokens, start }) => tokens.slice(start).map(() => 0))]),
    ).toBeGreaterThan(0.01);
    const frozen = await core.loadModel(folder, { frozen: true });
    expect(frozen.trained).toBe(0);
    await expect(core.forwardBackward(frozen.id, lessons)).rejects.toThrow("has no parameter to train: all are frozen");
  });
});

describe("gradients", () => {
  const adapterOf = (config: ModelConfig) => newAdapter(blockProjections(config), { rank: 2, alpha: 3 });
  const adapter = adapterOf(smallConfig);
  const tokens = { ids: [1, 4, 2, 7, 3, 3, 9, 0], shape: [2, 4] };
  const shapes: [string, LossShape, "lm" | "scalar", ModelConfig][] = [
    ["cross_entropy", { name: "cross_entropy" }, "lm", smallConfig],
    ["cross_entropy of Llama", { name: "cross_entropy" }, "lm", llama],
    ["policy", { name: "policy", penalty: null, dualClip: false, entropyBonus: true, kl: "k3" }, "lm", smallConfig],
    ["value", { name: "value", clip: false }, "scalar", smallConfig],
    ["pairwise", { name: "pairwise" }, "scalar", smallConfig],
  ];

  test.each(shapes)("of %s: each factor's is the difference quotient", (_, shape, head, of) => {
    const config: ModelConfig = { ...of, adapter: adapterOf(of) };
    const graph = lossGraph(config, [head], shape);
    const specs = parameterSpecs(config, [head]);
    const feeds: Record<string, Grid> = {};
    for (const { name, shape } of specs) {
      feeds[name] = uniformGrid(name, shape, [-0.4, 0.4]);
      feeds[`sum.${name}`] = { shape, data: new Array(feeds[name].data.length).fill(0) };
    }
    feeds.ids = { shape: tokens.shape, data: tokens.ids };
    const per = (name: string, [low, high]: [number, number]) => (feeds[name] = uniformGrid(name, [3], [low, high]));
    feeds.rows = { shape: [3], data: [0, 2, 5] };
    feeds.targets = { shape: [3], data: [4, 7, 9] };
    feeds.chosenRows = { shape: [3], data: [1, 3, 5] };
    feeds.rejectedRows = { shape: [3], data: [2, 4, 7] };
    for (const name of ["weights", "advantages", "returns", "oldValues", "margins"]) per(name, [0.2, 1]);
    for (const name of ["oldLogprobs", "refLogprobs"]) per(name, [-3.5, -3]);
    const scalars = { temperature: 0.8, clipLow: 0.9, clipHigh: 9, entropyCoef: 0.1, klCoef: 0.2 };
    for (const [name, value] of Object.entries(scalars)) feeds[name] = { shape: [], data: [value] };
    const trained = specs.filter(({ trainable }) => trainable).map(({ name }) => name);
    expect(trained).toHaveLength(2 * blockProjections(of).length + (head === "scalar" ? 2 : 0));
    const analytic = evaluate(
      trained.map((name) => graph[`sum.${name}`]!),
      feeds,
    );
    const h = 1e-5;
    let compared = 0;
    for (const [i, name] of trained.entries()) {
      const { data } = feeds[name]!;
      for (const at of [0, data.length - 1]) {
        const lossAt = (step: number) => {
          const moved = data.map((x, j) => (j === at ? x + step : x));
          return evaluate([graph.loss!], { ...feeds, [name]: { ...feeds[name]!, data: moved } })[0]!.data[0]!;
        };
        const quotient = (lossAt(h) - lossAt(-h)) / (2 * h);
        expect({ name, gap: Math.abs(quotient - analytic[i]!.data[at]!) < 1e-8 + 1e-5 * Math.abs(quotient) }).toEqual({
          name,
          gap: true,
        });
        if (Math.abs(quotient) > 1e-9) compared++;
      }
    }
    expect(compared).toBeGreaterThan(trained.length);
  });

  test("of frozen matrices are not computed: the graph has no node of such a shape, and none for the embedding", () => {
    const nodes = (config: ModelConfig) =>
      topological(Object.values(lossGraph(config, ["lm"], { name: "cross_entropy" }))).filter(
        ({ op, shape }) =>
          op !== "input" && op !== "transpose" && ["16,48", "16,64", "64,16", "29,16", "24,16"].includes(shape.join()),
      );
    expect(nodes({ ...smallConfig, adapter })).toEqual([]);
    expect(nodes(smallConfig).length).toBeGreaterThan(8);
  });
});

describe("memory", () => {
  /** Bytes of the distinct arrays under a model's frozen parameters, and under all of several models'. */
  const bytes = (...ids: ModelId[]) => {
    const arrays = new Set(ids.flatMap((id) => core.parametersOf(id).map(({ data }) => data.buffer)));
    return [...arrays].reduce((total, { byteLength }) => total + byteLength, 0);
  };

  test("policy, reference, critic, reward model and the copies of a run hold one trunk", async () => {
    const folder = await base();
    const reference = await core.loadModel(folder, { frozen: true });
    const trunk = bytes(reference.id);
    expect(trunk).toBe(4 * reference.parameters);
    const policy = await core.loadModel(folder, { adapter: rank4 });
    const critic = await core.loadModel(folder, { adapter: rank4, heads: ["scalar"], freshScalar: true });
    const reward = await core.loadModel(folder, { adapter: rank4, heads: ["scalar"], scalarInit: "normal" });
    const kept = await core.cloneModel(policy.id, { optimizer: true });
    const keptCritic = await core.cloneModel(critic.id, { optimizer: true });
    await core.cloneModel(policy.id, { optimizer: true, into: kept.id });
    const all = [reference, policy, critic, reward, kept, keptCritic];
    const trained = all.reduce((total, one) => total + one.trained, 0);
    expect(bytes(...all.map(({ id }) => id))).toBe(trunk + 4 * trained);
    // A model that trains everything shares nothing.
    const full = await core.loadModel(folder);
    expect(bytes(full.id, reference.id)).toBe(2 * trunk);
    for (const { id } of [...all, full]) await core.disposeModel(id);
  });

  test("a folder that has changed since is read again", async () => {
    const folder = await base();
    const old = await core.loadModel(folder, { frozen: true });
    const { id } = await core.createModel({ config: smallConfig, heads: ["lm"], seed: 6 });
    await core.saveModel(id, folder);
    const changed = await core.loadModel(folder, { frozen: true });
    expect(await logprobsOf(changed.id)).toEqual(await logprobsOf(id));
    expect(await logprobsOf(old.id)).not.toEqual(await logprobsOf(id));
  });
});

describe("a merged copy", () => {
  test.each([smallConfig, llama])(
    "of $family computes what the adapter does, trains nothing, and is a whole model in a folder",
    async (config) => {
      const { id } = await core.loadModel(await base(config), { adapter: rank4 });
      await train(id, lessons, 6);
      const merged = await core.cloneModel(id, { merge: true });
      expect(merged.config.adapter).toBeUndefined();
      expect(merged.trained).toBe(0);
      expect(gap(await logprobsOf(merged.id), await logprobsOf(id))).toBeLessThan(1e-5);
      const folder = temporaryFolder();
      await core.saveModel(merged.id, folder);
      const read = await core.loadModel(folder);
      expect(await logprobsOf(read.id)).toEqual(await logprobsOf(merged.id));
    },
  );

  test("averages products, not factors, like a slow loop over whole matrices; what is frozen does not move", async () => {
    const { id } = await core.loadModel(await base(), { adapter: rank4, heads: ["scalar"], freshScalar: true });
    const start = dense(id);
    const slow = await core.cloneModel(id, { merge: true });
    const expected = new Map([...start].map(([name, data]) => [name, [...data]]));
    for (const decay of [0.5, 0.9, 0.99]) {
      await train(id, values, 2);
      await core.ema(slow.id, id, decay);
      for (const [name, data] of dense(id)) {
        const average = expected.get(name)!;
        for (const [i, x] of data.entries()) average[i] = decay * average[i]! + (1 - decay) * x;
      }
    }
    let moved = 0;
    for (const { name, data } of core.parametersOf(slow.id)) {
      const worst = Math.max(...expected.get(name)!.map((x, i) => Math.abs(x - data[i]!)));
      expect({ name, near: worst < 1e-5 }).toEqual({ name, near: true });
      if (worst === 0 && data.some((x, i) => x !== start.get(name)![i])) throw new Error(`${name} moved`);
      if (data.some((x, i) => Math.abs(x - start.get(name)![i]!) > 1e-4)) moved++;
    }
    expect(moved).toBe(8 + 2);
    // The average belongs to the slow model: the base of the fast one is untouched.
    expect(new Map([...dense(id)].filter(([name]) => name.includes("ln_")))).toEqual(
      new Map([...start].filter(([name]) => name.includes("ln_"))),
    );
    await expect(core.ema(id, id, 0.5)).rejects.toThrow(
      "has an adapter, and an average of adapters is one of merged weights",
    );
  });

  /** The model's matrices with W + scale B A, entry by entry in float64. */
  function dense(id: ModelId): Map<string, number[]> {
    const all = new Map(core.parametersOf(id).map(({ name, shape, data }) => [name, { shape, data: [...data] }]));
    const result = new Map<string, number[]>();
    for (const [name, { shape, data }] of all) {
      if (name.includes("lora_")) continue;
      const module = name.replace(/\.weight$/, "");
      const [a, b] = [all.get(`${module}.lora_A.weight`), all.get(`${module}.lora_B.weight`)];
      if (a === undefined || b === undefined) result.set(name, data);
      else {
        const [inputs, outputs] = shape as [number, number];
        const sum = (i: number, o: number) => {
          let total = 0;
          for (let r = 0; r < 4; r++) total += a.data[r * inputs + i]! * b.data[o * 4 + r]!;
          return total;
        };
        result.set(
          name,
          data.map((w, k) => w + 2 * sum(Math.floor(k / outputs), k % outputs)),
        );
      }
    }
    return result;
  }
});
