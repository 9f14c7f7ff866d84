/**
 * A family that Ballast lacks, in one file and one row of the table: RMS norms, no biases, matrices stored like Hugging Face's `nn.Linear`, grouped
 * queries, a separate head width, an option of its own, and frozen positions.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { adam, randomSequences, saved } from "../../../test/support/engine.ts";
import { gap, temporaryFolder } from "../../../test/support/gpt2.ts";
import type { Architecture } from "../../models/architecture.ts";
import { families, parameterSpecs } from "../../models/family.ts";
import { cacheSizes, type DecoderConfig } from "../../models/model-config.ts";
import { parameterCount } from "../../models/model-size.ts";
import { parameter, specsOf } from "../../models/parameters.ts";
import { project } from "../../models/projection.ts";
import { type NamedTensor, readSafetensors, writeSafetensors } from "../../models/safetensors.ts";
import type { Tensor } from "../../tensor/graph.ts";
import { add, div, gather, mul, sigmoid, sqrt, sum } from "../../tensor/ops.ts";
import type { CrossEntropyLoss } from "../engine.ts";
import { EmbeddedCore } from "./core.ts";
import { Model } from "./held-model.ts";

const innerOf = ({ options }: DecoderConfig) => options?.inner as number;

const toy: Architecture = {
  fromScratch: () => ({ options: { inner: 12 } }),
  layout: "outputs-inputs",
  languageHead: { tied: "model.embed.weight", own: "out.weight" },
  parameters: (config) => {
    const { vocabularySize, context, width, layers, heads } = config;
    const { kvHeads, headDim } = cacheSizes(config);
    const { matrix } = specsOf("embeddings");
    const blocks = Array.from({ length: layers }, (_, i) => {
      const of = specsOf(`block.${i}`);
      const dense = (name: string, rows: number, columns: number) =>
        of.matrix(`model.${i}.${name}.weight`, [rows, columns], 0.3);
      return [
        of.ones(`model.${i}.before.weight`, width),
        dense("q", heads * headDim, width),
        dense("k", kvHeads * headDim, width),
        dense("v", kvHeads * headDim, width),
        dense("o", width, heads * headDim),
        of.ones(`model.${i}.after.weight`, width),
        dense("up", innerOf(config), width),
        dense("down", width, innerOf(config)),
      ];
    });
    return [
      matrix("model.embed.weight", [vocabularySize, width], 0.3),
      { ...matrix("model.positions.weight", [context, width], 0.3), trainable: false },
      ...blocks.flat(),
      specsOf("final").ones("model.norm.weight", width),
    ];
  },
  trunk: (config, parameters, reading) => {
    const { width, layers, heads } = config;
    const { kvHeads, headDim: size } = cacheSizes(config);
    const of = (name: string) => parameter(parameters, `model.${name}.weight`);
    const dense = (name: string, x: Tensor) => project(parameters, `model.${name}`, x, "outputs-inputs");
    const norm = (name: string, x: Tensor) => {
      const mean = mul(sum(mul(x, x), { axes: [-1], keepDims: true }), 1 / width);
      return mul(div(x, sqrt(add(mean, 1e-6))), of(name));
    };
    const { ids, positions, distinctPositions } = reading;
    const position = gather(of("positions"), positions, { distinct: distinctPositions });
    let x = reading.tokens(add(gather(of("embed"), ids), position));
    for (let i = 0; i < layers; i++) {
      const before = norm(`${i}.before`, x);
      const [q, k, v] = [heads, kvHeads, kvHeads].map(
        (heads, j) => reading.heads(dense(`${i}.${"qkv"[j]}`, before), { heads, size })[0]!,
      ) as [Tensor, Tensor, Tensor];
      x = add(x, dense(`${i}.o`, reading.attend(i, { q, k, v })));
      const inner = dense(`${i}.up`, norm(`${i}.after`, x));
      x = add(x, dense(`${i}.down`, mul(inner, sigmoid(inner))));
    }
    return norm("norm", x);
  },
  huggingFace: {
    classes: { lm: "ToyForCausalLM", scalar: "ToyForSequenceClassification" },
    read: (file) => {
      file.only({ hidden_act: "silu" });
      return {
        vocabularySize: file.count("vocab_size"),
        context: file.count("max_position_embeddings"),
        width: file.count("hidden_size"),
        layers: file.count("num_hidden_layers"),
        heads: file.count("num_attention_heads"),
        kvHeads: file.count("num_key_value_heads"),
        headDim: file.count("head_dim"),
        tieEmbeddings: file.json.tie_word_embeddings === true,
        options: { inner: file.count("intermediate_size") },
      };
    },
    write: (config) => ({
      vocab_size: config.vocabularySize,
      max_position_embeddings: config.context,
      hidden_size: config.width,
      num_hidden_layers: config.layers,
      num_attention_heads: config.heads,
      num_key_value_heads: cacheSizes(config).kvHeads,
      head_dim: cacheSizes(config).headDim,
      tie_word_embeddings: config.tieEmbeddings,
      intermediate_size: innerOf(config),
      hidden_act: "silu",
    }),
  },
};

const config: DecoderConfig = {
  family: "toy",
  vocabularySize: 29,
  context: 24,
  width: 8,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 3,
  tieEmbeddings: false,
};
const core = new EmbeddedCore({ threads: 1 });
beforeAll(() => {
  (families as Record<string, Architecture>).toy = toy;
});
afterAll(() => core.close());

const sequences = randomSequences(8, 1);
const lessons: CrossEntropyLoss = {
  name: "cross_entropy",
  sequences,
  weights: sequences.map(({ tokens, start }) => tokens.slice(start).map(() => 0.02)),
};

async function train(id: string, steps: number): Promise<number[]> {
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    losses.push((await core.forwardBackward(id, lessons)).loss);
    await core.optimStep(id, { ...adam, weightDecay: 0.1 });
  }
  return losses;
}

test("it learns, keeps what is frozen to the bit without optimizer state, and goes on from a folder with the same bits", async () => {
  const { id, config: created } = await core.createModel({ config, heads: ["lm", "scalar"], seed: 3 });
  expect(created).toEqual({ ...config, options: { inner: 12 } });
  // A model's size is known before it exists, with its default options.
  expect(parameterCount(config, ["lm"])).toBe(parameterCount(created, ["lm"]));
  const before = await saved(core, id);
  const losses = await train(id, 10);
  expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]!);
  const after = await saved(core, id, { optimizer: true });
  const specs = parameterSpecs(created, ["lm", "scalar"]);
  expect([...after.weights.keys()]).toEqual(specs.map(({ name }) => name));
  const moved = [...after.weights].filter(
    ([name, { data }]) => gap([[...data]], [[...before.weights.get(name)!.data]]) > 0,
  );
  // Cross-entropy has no gradient for the score.
  const expected = specs.filter(({ name, trainable }) => trainable && !name.startsWith("score"));
  expect(moved.map(([name]) => name)).toEqual(expected.map(({ name }) => name));
  const { tensors } = readSafetensors(join(after.folder, "optimizer.safetensors"));
  const trained = specs.filter(({ trainable }) => trainable).map(({ name }) => name);
  expect([...tensors.keys()]).toEqual(["m", "v"].flatMap((kind) => trained.map((name) => `${kind}.${name}`)));

  const loaded = await core.loadModel(after.folder, { optimizer: true });
  expect(loaded.config).toEqual(created);
  const copy = await core.cloneModel(id, { optimizer: true });
  for (const model of [id, loaded.id, copy.id]) await train(model, 2);
  const [one, two, three] = await Promise.all(
    [id, loaded.id, copy.id].map(async (model) => (await saved(core, model, { optimizer: true })).bytes),
  );
  expect(two === one && three === one).toBe(true);
});

test("gradients and moments take the memory of what is trained only, and norms leave the frozen out", async () => {
  const whole = { ...config, options: { inner: 12 } };
  const model = new Model({ id: "x", config: whole, heads: ["lm"], scalarInit: "zero", seed: 1 });
  const frozen = config.context * config.width;
  expect(model.info.trained).toBe(model.info.parameters - frozen);
  expect(model.weights.length).toBe(model.info.trained);
  expect(model.moments().m.length).toBe(model.info.parameters - frozen);
  expect(model.gradients().reduce((n, { part }) => n + part.length, 0)).toBe(model.info.parameters - frozen);
  const { id } = await core.createModel({ config, heads: ["lm"], seed: 3 });
  const { gradSquaredNorm } = await core.forwardBackward(id, lessons);
  const { gradNorm } = await core.optimStep(id, adam);
  expect(gradNorm! ** 2 / gradSquaredNorm).toBeCloseTo(1, 5);
});

test("a model whose parameters are all frozen is not trained", async () => {
  const all: Architecture = {
    ...toy,
    parameters: (config) => toy.parameters(config).map((spec) => ({ ...spec, trainable: false })),
  };
  (families as Record<string, Architecture>).frozen = all;
  const { id } = await core.createModel({
    config: { ...config, family: "frozen", tieEmbeddings: true },
    heads: ["lm"],
    seed: 3,
  });
  await expect(core.forwardBackward(id, lessons)).rejects.toThrow("has no parameter to train: all are frozen");
});

test("what is sampled with the cache has the log-probabilities of the forward pass without one", async () => {
  const { id } = await core.createModel({ config, heads: ["lm"], seed: 5 });
  await train(id, 3);
  const prompts = [[3, 4], [5], [6, 7, 8, 9, 10], [11, 12, 13]];
  const shared = { prompts, maxNewTokens: 18, stopTokens: [2], topK: 0, topP: 1, seed: 7 };
  for (const temperature of [0, 1]) {
    const { tokens, logprobs } = await core.sample(id, { ...shared, temperature });
    const read = prompts.map((prompt, i) => ({ tokens: [...prompt, ...tokens[i]!], start: prompt.length }));
    const forward = await core.forward(id, { sequences: read, outputs: ["logprobs", "top1"] });
    expect(gap(logprobs, forward.logprobs!)).toBeLessThan(1e-5);
    if (temperature === 0) expect(tokens).toEqual(forward.top1);
  }
});

test("queries that share keys and values compute what copies of these would", async () => {
  const { id } = await core.createModel({ config, heads: ["lm"], seed: 5 });
  const { folder, weights } = await saved(core, id);
  const copied = temporaryFolder();
  const json = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as Record<string, unknown>;
  const tensors = new Map<string, NamedTensor>();
  for (const [name, { shape, data }] of weights) {
    if (!/\.[kv]\.weight$/.test(name)) tensors.set(name, { shape, data });
    else {
      const rows = data.length / 2;
      const parts = [0, 0, 1, 1].map((head) => [...data.subarray(head * rows, (head + 1) * rows)]);
      tensors.set(name, { shape: [2 * shape[0]!, shape[1]!], data: Float32Array.from(parts.flat()) });
    }
  }
  writeFileSync(join(copied, "config.json"), JSON.stringify({ ...json, num_key_value_heads: 4 }));
  writeSafetensors(join(copied, "model.safetensors"), tensors);
  const { id: other } = await core.loadModel(copied);
  const [a, b] = await Promise.all(
    [id, other].map((model) => core.forward(model, { sequences, outputs: ["logprobs"] })),
  );
  expect(gap(a!.logprobs, b!.logprobs!)).toBeLessThan(1e-6);
});

test("sizes that do not fit, and a family that the table lacks, are refused by name", async () => {
  const make = (change: Partial<DecoderConfig>) =>
    core.createModel({ config: { ...config, ...change }, heads: ["lm"], seed: 1 });
  await expect(make({ kvHeads: 3 })).rejects.toThrow(
    "4 heads of queries cannot share 3 heads of keys and values evenly",
  );
  await expect(make({ family: "novel" })).rejects.toThrow("there is no family of models named novel");
});
