/** Ids that no text has: a model with such rows computes the same as one without them, and leaves the rows unchanged. */
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { gap, temporaryFolder } from "../../../test/support/gpt2.ts";
import { parameterSpecs } from "../../models/family.ts";
import { writeModelFolder } from "../../models/hf-folder.ts";
import { withTextIds } from "../../models/model-config.ts";
import { type NamedTensor, readSafetensors } from "../../models/safetensors.ts";
import { mostWords } from "../../models/vocabulary-blocks.ts";
import { random } from "../../util/random.ts";
import type { LossRequest, ModelConfig, ModelId, Sequence } from "../engine.ts";
import type { PassResult } from "../passes.ts";
import { EmbeddedCore } from "./core.ts";

const core = new EmbeddedCore({ threads: 2 });
afterAll(() => core.close());

const padded: ModelConfig = {
  family: "gpt2",
  vocabularySize: 23,
  context: 24,
  width: 8,
  layers: 2,
  heads: 2,
  tieEmbeddings: true,
};
const textIds = { below: 19, missing: [4, 11] };
/** Ids of text, in order: each one's index is its id in the model without the other rows. */
const kept = Array.from({ length: textIds.below }, (_, id) => id).filter((id) => !textIds.missing.includes(id));

/** Rows that no text has get huge values: without a mask they would take all probability. */
function tensorsOf(config: ModelConfig, seed: number): Map<string, NamedTensor> {
  return new Map(
    parameterSpecs(config, ["lm"]).map(({ name, shape, deviation }) => {
      const stream = random(name, seed);
      const size = shape.reduce((a, b) => a * b, 1);
      const data = Float32Array.from({ length: size }, () => (deviation === null ? 1 : 0.4 * stream.normal()));
      const isHead = name === (config.tieEmbeddings ? "transformer.wte.weight" : "lm_head.weight");
      if (isHead)
        for (let id = 0; id < config.vocabularySize; id++)
          if (!kept.includes(id)) data.fill(9, id * config.width, (id + 1) * config.width);
      return [name, { shape, data }];
    }),
  );
}

function withoutOtherRows(tensors: ReadonlyMap<string, NamedTensor>, { width }: ModelConfig): Map<string, NamedTensor> {
  return new Map(
    [...tensors].map(([name, tensor]) => {
      if (!/wte|lm_head/.test(name)) return [name, tensor];
      const rows = kept.map((id) => tensor.data.subarray(id * width, (id + 1) * width));
      const data = Float32Array.from(rows.flatMap((row) => [...row]));
      return [name, { shape: [kept.length, width], data }];
    }),
  );
}

interface Twins {
  /** With rows that no text has. */
  readonly full: ModelId;
  /** Without them, with renumbered ids. */
  readonly cut: ModelId;
}

async function twins(config: ModelConfig, seed: number): Promise<Twins> {
  const tensors = tensorsOf(config, seed);
  const [a, b] = [temporaryFolder(), temporaryFolder()];
  writeModelFolder(a, { config, heads: ["lm"], tensors });
  writeModelFolder(b, {
    config: { ...config, vocabularySize: kept.length },
    heads: ["lm"],
    tensors: withoutOtherRows(tensors, config),
  });
  return { full: (await core.loadModel(a, { textIds })).id, cut: (await core.loadModel(b)).id };
}

const stream = random("sequences");
/** In the ids of the model without the other rows. */
const sequences: Sequence[] = [5, 9, 14].map((length) => ({
  tokens: Array.from({ length }, () => stream.integer(kept.length)),
  start: 2,
}));
const spelled = sequences.map(({ tokens, start }) => ({ tokens: tokens.map((id) => kept[id]!), start }));
const rows = sequences.map(({ tokens, start }) => tokens.slice(start).map(() => 0.1 + 0.1 * stream.uniform()));

const settings = { clipLow: 0.2, clipHigh: 0.2, dualClip: null, entropyCoef: 0.1, kl: null, temperature: 0.7 };
const policy = {
  name: "policy" as const,
  weights: rows,
  oldLogprobs: rows.map((row) => row.map(() => -2)),
  advantages: rows,
  refLogprobs: rows.map((row) => row.map(() => -2.1)),
};

describe.each([
  [true, padded.vocabularySize],
  [false, padded.vocabularySize],
  // In blocks of the vocabulary, compared with a model that needs none.
  [true, 2 * mostWords + 3],
  [false, 2 * mostWords + 3],
])("tied embeddings %s, a vocabulary of %i", (tieEmbeddings, vocabularySize) => {
  const config = { ...padded, tieEmbeddings, vocabularySize };

  test("log-probabilities, entropies and the likeliest token are those of the model without the rows", async () => {
    const { full, cut } = await twins(config, 1);
    for (const temperature of [1, 0.3, 5]) {
      const outputs = ["logprobs", "entropy", "top1"] as const;
      const a = await core.forward(full, { sequences: spelled, outputs, temperature });
      const b = await core.forward(cut, { sequences, outputs, temperature });
      expect(gap(a.logprobs, b.logprobs!)).toBeLessThan(1e-6);
      expect(gap(a.entropy, b.entropy!)).toBeLessThan(1e-6);
      expect(a.top1).toEqual(b.top1!.map((row) => row.map((id) => kept[id]!)));
      // Each stands alone, too.
      for (const output of outputs) {
        const alone = await core.forward(full, { sequences: spelled, outputs: [output], temperature });
        expect(gap(alone[output], a[output]!)).toBeLessThan(1e-6);
      }
    }
  });

  const losses: [
    string,
    (old: ModelId) => Omit<Extract<LossRequest, { weights: unknown; sequences: unknown }>, "sequences">,
  ][] = [
    ["cross-entropy", () => ({ name: "cross_entropy", weights: rows })],
    ["clip, entropy bonus, KL", () => ({ ...policy, config: { ...settings, kl: { coef: 0.2, estimator: "k2" } } })],
    [
      "penalty on the whole KL",
      (oldModel) => ({ ...policy, config: { ...settings, penalty: { beta: 0.5, oldModel } } }),
    ],
  ];
  test.each(losses)("loss and gradient: %s", async (_, loss) => {
    const [now, old] = [await twins(config, 1), await twins(config, 2)];
    const run = (of: "full" | "cut", its: readonly Sequence[]): Promise<PassResult> =>
      core.forwardBackward(now[of], { ...loss(old[of]), sequences: its } as LossRequest);
    const [a, b] = [await run("full", spelled), await run("cut", sequences)];
    expect(a.loss).toBeCloseTo(b.loss, 5);
    expect(a.gradSquaredNorm / b.gradSquaredNorm).toBeCloseTo(1, 5);
    if (b.penaltyKl) expect(gap(a.penaltyKl, b.penaltyKl)).toBeLessThan(1e-5);
  });

  test("what is saved keeps the rows as they were, and moves the others as the model without them does", async () => {
    const { full, cut } = await twins(config, 1);
    const saved: Map<string, NamedTensor>[] = [];
    for (const [id, its] of [
      [full, spelled],
      [cut, sequences],
    ] as const) {
      await core.forwardBackward(id, { name: "cross_entropy", sequences: its, weights: rows });
      const rates = { learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-3, weightDecay: 0, maxGradNorm: null };
      await core.optimStep(id, rates);
      const folder = temporaryFolder();
      await core.saveModel(id, folder);
      saved.push(readSafetensors(join(folder, "model.safetensors")).tensors);
    }
    const [a, b] = saved as [Map<string, NamedTensor>, Map<string, NamedTensor>];
    const moved = withoutOtherRows(a, config);
    for (const [name, { data }] of b) expect(gap([[...moved.get(name)!.data]], [[...data]])).toBeLessThan(1e-5);
    const before = tensorsOf(config, 1);
    for (const name of a.keys()) {
      if (!/wte|lm_head/.test(name)) continue;
      for (let id = 0; id < config.vocabularySize; id++) {
        const row = (tensors: ReadonlyMap<string, NamedTensor>) =>
          tensors.get(name)!.data.slice(id * config.width, (id + 1) * config.width);
        if (!kept.includes(id)) expect(row(a)).toEqual(row(before));
      }
    }
  });

  test("sampling draws what the model without the rows draws, however it samples", async () => {
    const { full, cut } = await twins(config, 1);
    const prompts = sequences.map(({ tokens }) => tokens);
    for (const shape of [{}, { temperature: 0 }, { temperature: 30 }, { topK: 21 }, { topP: 0.999 }]) {
      const request = { maxNewTokens: 9, stopTokens: [], temperature: 1, topK: 0, topP: 1, seed: 3, ...shape };
      const a = await core.sample(full, { ...request, prompts: spelled.map(({ tokens }) => tokens) });
      const b = await core.sample(cut, { ...request, prompts });
      expect(a.tokens).toEqual(b.tokens.map((row) => row.map((id) => kept[id]!)));
      expect(gap(a.logprobs, b.logprobs)).toBeLessThan(1e-5);
    }
  });
});

test("a model whose every id has a text is what it is without the question", async () => {
  const folder = temporaryFolder();
  writeModelFolder(folder, { config: padded, heads: ["lm"], tensors: tensorsOf(padded, 1) });
  const asked = await core.loadModel(folder, { textIds: { below: 23, missing: [] } });
  expect(asked.config).toEqual((await core.loadModel(folder)).config);
});

test("a token that no text has is not scored", async () => {
  const { full } = await twins(padded, 1);
  for (const token of [4, 20]) {
    const call = core.forward(full, { sequences: [{ tokens: [1, token], start: 1 }], outputs: ["logprobs"] });
    await expect(call).rejects.toThrow(`sequence 0 is scored at token ${token}, which no text has`);
  }
});

test("of ids beyond the model's own rows nothing is masked", () => {
  const { vocabularySize } = padded;
  expect(withTextIds(padded, { below: vocabularySize + 3, missing: [vocabularySize + 1] })).toEqual(padded);
  expect(withTextIds(padded, { below: vocabularySize + 3, missing: [4, vocabularySize] }).textIds).toEqual({
    below: vocabularySize,
    missing: [4],
  });
});
