/** Adapters on the PyTorch engine: the embedded engine's numbers and folders, shared weights, merged copies and averages. */
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adam, randomPerToken, randomSequences, relativeError, smallConfig } from "../../../test/support/engine.ts";
import { gap, temporaryFolder } from "../../../test/support/gpt2.ts";
import { startTimeout, torchEngine } from "../../../test/support/torch.ts";
import { withDefaultOptions } from "../../models/family.ts";
import { readSafetensors, writeSafetensors } from "../../models/safetensors.ts";
import { createEmbeddedEngine } from "../embedded/index.ts";
import type {
  AdapterRequest,
  Engine,
  HeadKind,
  LoadModelRequest,
  LossRequest,
  ModelConfig,
  ModelId,
} from "../engine.ts";

/** Matrices stored [outputs, inputs], with grouped queries and a head of its own. */
const llama: ModelConfig = withDefaultOptions({
  ...{ ...smallConfig, family: "llama", kvHeads: 1, innerWidth: 24, tieEmbeddings: false },
});
const sequences = randomSequences(6, 3);
const weights = randomPerToken(sequences, "weights", 0.01, 0.03);
const lessons: LossRequest = { name: "cross_entropy", sequences, weights };
const returns: LossRequest = {
  ...{ name: "value", sequences, weights, config: { valueClip: null } },
  returns: randomPerToken(sequences, "returns"),
  oldValues: randomPerToken(sequences, "old"),
};
const step = { ...adam, weightDecay: 0.1, maxGradNorm: 1, rateFactors: { "block.1": 0.5, score: 2 } };

async function train(engine: Engine, id: ModelId, loss: LossRequest, steps: number): Promise<void> {
  for (let i = 0; i < steps; i++) {
    await engine.forwardBackward(id, loss);
    await engine.optimStep(id, step);
  }
}

const logprobsOf = async (engine: Engine, id: ModelId) =>
  (await engine.forward(id, { sequences, outputs: ["logprobs"] })).logprobs;
const outputsOf = async (engine: Engine, id: ModelId, head: HeadKind) =>
  head === "lm" ? logprobsOf(engine, id) : (await engine.forward(id, { sequences, outputs: ["values"] })).values;
const json = (folder: string, file: string) => JSON.parse(readFileSync(join(folder, file), "utf8"));

describe("adapters", () => {
  let torch: Engine;
  let embedded: Engine;
  beforeAll(async () => {
    [torch, embedded] = [await torchEngine(), await createEmbeddedEngine({ threads: 1 })];
  }, startTimeout);
  afterAll(async () => {
    await torch.close();
    await embedded.close();
  });

  async function base(config: ModelConfig = smallConfig, heads: readonly HeadKind[] = ["lm"]): Promise<string> {
    const { id } = await embedded.createModel({ config, heads, scalarInit: "normal", seed: 5 });
    return embedded.saveModel(id, temporaryFolder());
  }

  /** The gradient at a model's weights, from Adam's first moment with beta1 = 0. */
  async function gradientOf(engine: Engine, model: ModelId, loss: LossRequest): Promise<Map<string, number[]>> {
    const { id } = await engine.cloneModel(model);
    await engine.forwardBackward(id, loss);
    await engine.optimStep(id, { ...adam, learningRate: 0, beta1: 0, beta2: 0, epsilon: 1 });
    const folder = await engine.saveModel(id, temporaryFolder(), { optimizer: true });
    await engine.disposeModel(id);
    const { tensors } = readSafetensors(join(folder, "optimizer.safetensors"));
    return new Map([...tensors].flatMap(([name, { data }]) => (name.startsWith("m.") ? [[name, [...data]]] : [])));
  }

  const shapes: readonly (readonly [string, ModelConfig, AdapterRequest, HeadKind])[] = [
    ["GPT-2", smallConfig, { rank: 3, alpha: 6 }, "lm"],
    ["GPT-2, some projections, rslora", smallConfig, { rank: 2, alpha: 5, rslora: true, targets: ["c_attn"] }, "lm"],
    ["GPT-2 with values", smallConfig, { rank: 3, alpha: 6 }, "scalar"],
    ["Llama", llama, { rank: 4, alpha: 4, targets: ["q_proj", "v_proj", "down_proj"] }, "lm"],
  ];

  test.each(shapes)("%s: the embedded engine's start, gradients, steps and folder, both ways", async (...one) => {
    const [, config, adapter, head] = one;
    const loss = head === "lm" ? lessons : returns;
    const folder = await base(config);
    const request: LoadModelRequest = { adapter, heads: [head], scalarInit: "normal", seed: 4 };
    const [a, b] = [await torch.loadModel(folder, request), await embedded.loadModel(folder, request)];
    expect({ ...a, id: "", tokensOfPass: 0 }).toEqual({ ...b, id: "", tokensOfPass: 0 });
    expect(gap(await outputsOf(torch, a.id, head), await outputsOf(embedded, b.id, head))).toBeLessThan(1e-5);
    // B is 0 at first, so that A has no gradient yet.
    for (let i = 0; i < 3; i++) {
      const [found, wanted] = [await gradientOf(torch, a.id, loss), await gradientOf(embedded, b.id, loss)];
      expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort());
      expect(relativeError(found, wanted)).toBeLessThan(1e-5);
      await train(torch, a.id, loss, 1);
      await train(embedded, b.id, loss, 1);
      expect(gap(await outputsOf(torch, a.id, head), await outputsOf(embedded, b.id, head))).toBeLessThan(1e-5);
    }
    const ours = await torch.saveModel(a.id, temporaryFolder(), { optimizer: true });
    const theirs = await embedded.saveModel(b.id, temporaryFolder(), { optimizer: true });
    expect(readdirSync(ours).sort()).toEqual(readdirSync(theirs).sort());
    expect(json(ours, "adapter_config.json")).toEqual(json(theirs, "adapter_config.json"));
    expect(json(ours, "ballast_adapter.json")).toEqual(json(theirs, "ballast_adapter.json"));
    // Each goes on where the other was.
    const [c, d] = [
      await torch.loadModel(theirs, { adapter: { rank: 9, alpha: 1 }, optimizer: true }),
      await embedded.loadModel(ours, { adapter: { rank: 9, alpha: 1 }, optimizer: true }),
    ];
    expect(c.config).toEqual(a.config);
    await train(torch, c.id, loss, 2);
    await train(embedded, d.id, loss, 2);
    await train(torch, a.id, loss, 2);
    const wanted = await outputsOf(torch, a.id, head);
    expect(gap(await outputsOf(torch, c.id, head), wanted)).toBeLessThan(1e-5);
    expect(gap(await outputsOf(embedded, d.id, head), wanted)).toBeLessThan(1e-5);
    for (const { id } of [a, c]) await torch.disposeModel(id);
    for (const { id } of [b, d]) await embedded.disposeModel(id);
  });

  test("with rank 0 only a scalar head is trained, and a language head has nothing to train", async () => {
    const folder = await base();
    const request: LoadModelRequest = { adapter: { rank: 0, alpha: 1 }, heads: ["scalar"], scalarInit: "normal" };
    const values: number[][][] = [];
    for (const engine of [torch, embedded]) {
      const { id, trained } = await engine.loadModel(folder, request);
      expect(trained).toBe(smallConfig.width + 1);
      await train(engine, id, returns, 3);
      values.push(await outputsOf(engine, id, "scalar"));
    }
    expect(gap(values[0]!, values[1]!)).toBeLessThan(1e-5);
    const { id } = await torch.loadModel(folder, { adapter: { rank: 0, alpha: 1 } });
    await expect(torch.forwardBackward(id, lessons)).rejects.toThrow("no parameter to train");
  });

  test("a copy has factors of its own, and a critic a new head on the same adapter", async () => {
    const { id } = await torch.loadModel(await base(), { adapter: { rank: 2, alpha: 4 }, seed: 1 });
    await train(torch, id, lessons, 2);
    const before = await logprobsOf(torch, id);
    const copy = await torch.cloneModel(id, { optimizer: true });
    expect(await logprobsOf(torch, copy.id)).toEqual(before);
    await train(torch, copy.id, lessons, 2);
    expect(gap(await logprobsOf(torch, copy.id), before)).toBeGreaterThan(1e-3);
    expect(await logprobsOf(torch, id)).toEqual(before);
    await train(torch, id, lessons, 2);
    expect(await logprobsOf(torch, id)).toEqual(await logprobsOf(torch, copy.id));
    await torch.cloneModel(copy.id, { into: id });
    expect(await logprobsOf(torch, id)).toEqual(await logprobsOf(torch, copy.id));
    const critic = await torch.cloneModel(id, { heads: ["scalar"] });
    expect(new Set((await outputsOf(torch, critic.id, "scalar")).flat())).toEqual(new Set([0]));
    expect(critic.trained).toBe(copy.trained + smallConfig.width + 1);
  });

  test("an adapter's folder is merged for whole training, stays as it is if frozen, and its optimizer is not one of all weights", async () => {
    const { id } = await embedded.loadModel(await base(llama, ["lm", "scalar"]), { adapter: { rank: 2, alpha: 4 } });
    await train(embedded, id, lessons, 3);
    const folder = await embedded.saveModel(id, temporaryFolder(), { optimizer: true });
    const wanted = await logprobsOf(embedded, id);
    const [whole, frozen] = [await torch.loadModel(folder), await torch.loadModel(folder, { frozen: true })];
    expect([whole.trained, frozen.trained]).toEqual([whole.parameters, 0]);
    expect(whole.config).toEqual((await embedded.loadModel(folder)).config);
    for (const model of [whole, frozen]) expect(gap(await logprobsOf(torch, model.id), wanted)).toBeLessThan(1e-5);
    const values = await outputsOf(embedded, id, "scalar");
    for (const model of [whole, frozen])
      expect(gap(await outputsOf(torch, model.id, "scalar"), values)).toBeLessThan(1e-5);
    await expect(torch.loadModel(folder, { optimizer: true })).rejects.toThrow("is not one of all weights");
    await expect(torch.forwardBackward(frozen.id, lessons)).rejects.toThrow("no parameter to train");
    expect(await torch.inspectModel(folder)).toEqual(await embedded.inspectModel(folder));
    const again = await embedded.loadModel(await torch.saveModel(frozen.id, temporaryFolder()), { frozen: true });
    expect(await logprobsOf(embedded, again.id)).toEqual(wanted);
  });

  test("a head that an adapter holds whole has PEFT's name in its file, GPT-NeoX's too", async () => {
    const neox = withDefaultOptions({ ...smallConfig, family: "gpt_neox", tieEmbeddings: false });
    const place = await base(neox);
    const { id } = await embedded.loadModel(place, { adapter: { rank: 2, alpha: 4 } });
    const folder = await embedded.saveModel(id, temporaryFolder());
    const file = join(folder, "adapter_model.safetensors");
    const { tensors } = readSafetensors(file);
    const head = readSafetensors(join(place, "model.safetensors")).tensors.get("embed_out.weight")!;
    writeSafetensors(file, new Map([...tensors, ["base_model.model.lm_head.weight", head]]));
    const config = { ...json(folder, "adapter_config.json"), modules_to_save: ["lm_head"] };
    writeFileSync(join(folder, "adapter_config.json"), JSON.stringify(config));
    for (const [engine, other] of [
      [torch, embedded],
      [embedded, torch],
    ] as const) {
      const loaded = await engine.loadModel(folder, { adapter: { rank: 2, alpha: 4 } });
      await train(engine, loaded.id, lessons, 2);
      const saved = await engine.saveModel(loaded.id, temporaryFolder());
      expect(json(saved, "adapter_config.json").modules_to_save).toEqual(["lm_head"]);
      const found = readSafetensors(join(saved, "adapter_model.safetensors")).tensors;
      expect(found.get("base_model.model.lm_head.weight")!.data).not.toEqual(head.data);
      expect([...found.keys()].filter((name) => name.includes("embed_out"))).toEqual([]);
      const read = await other.loadModel(saved, { frozen: true });
      expect(gap(await logprobsOf(other, read.id), (await logprobsOf(engine, loaded.id))!)).toBeLessThan(1e-4);
    }
  });

  test("a slow average is one of products, the embedded engine's", async () => {
    const folder = await base();
    const averages: number[][][] = [];
    for (const engine of [torch, embedded]) {
      const request: LoadModelRequest = { adapter: { rank: 2, alpha: 4 }, heads: ["scalar"], scalarInit: "normal" };
      const { id } = await engine.loadModel(folder, request);
      await train(engine, id, returns, 2);
      const slow = await engine.cloneModel(id, { merge: true });
      await train(engine, id, returns, 3);
      await engine.ema(slow.id, id, 0.75);
      averages.push(await outputsOf(engine, slow.id, "scalar"));
      await expect(engine.ema(id, id, 0.5)).rejects.toThrow("has an adapter");
      const saved = await embedded.loadModel(await engine.saveModel(slow.id, temporaryFolder()));
      expect(gap(await outputsOf(embedded, saved.id, "scalar"), averages.at(-1)!)).toBeLessThan(1e-5);
    }
    expect(gap(averages[0]!, averages[1]!)).toBeLessThan(1e-5);
  });

  test("an adapter on other weights is refused", async () => {
    const folder = await base();
    const { id } = await torch.loadModel(folder, { adapter: { rank: 2, alpha: 4 } });
    const adapter = await torch.saveModel(id, temporaryFolder());
    const { id: other } = await embedded.createModel({ config: smallConfig, heads: ["lm"], seed: 6 });
    cpSync(await embedded.saveModel(other, temporaryFolder()), folder, { recursive: true });
    await expect(torch.loadModel(adapter, { frozen: true })).rejects.toThrow("was trained on other weights");
  });

  test("in bf16 merged copies and whole ones are saved in float32", { timeout: startTimeout }, async () => {
    const rounding = await torchEngine({ dtype: "bf16" });
    try {
      const folder = await base();
      const { id } = await rounding.loadModel(folder, { adapter: { rank: 2, alpha: 4 } });
      const merged = await rounding.cloneModel(id, { merge: true });
      const whole = await rounding.cloneModel((await rounding.loadModel(folder)).id, { merge: true });
      const frozen = await rounding.loadModel(folder, { frozen: true });
      const wanted = readSafetensors(join(folder, "model.safetensors")).tensors;
      for (const model of [merged, whole, frozen]) {
        const saved = await rounding.saveModel(model.id, temporaryFolder());
        const { tensors } = readSafetensors(join(saved, "model.safetensors"));
        for (const [name, { data }] of wanted) expect([...tensors.get(name)!.data], name).toEqual([...data]);
      }
    } finally {
      await rounding.close();
    }
  });
});
