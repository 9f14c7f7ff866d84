/** A run with adapters on the embedded engine: one frozen trunk for all of its models, folders in PEFT's format, exact resumption. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { newWorld, type World } from "../../test/support/stage.ts";
import { EmbeddedCore } from "../engine/embedded/core.ts";
import { createEmbeddedEngine } from "../engine/embedded/index.ts";
import type { Engine } from "../engine/engine.ts";
import { configSchema } from "../settings/config-schema.ts";
import { buildTokenizer } from "../text/index.ts";
import { saveModelFolder } from "../trainer/model-folder.ts";
import { adapterOf, textIdsOf } from "../trainer/stage-models.ts";
import { Interrupted } from "../util/errors.ts";
import { runPipeline } from "./pipeline.ts";

const engines: Engine[] = [];
afterAll(() => Promise.all(engines.map((engine) => engine.close())));
async function open(): Promise<Engine> {
  const engine = await createEmbeddedEngine({ threads: 1 });
  engines.push(engine);
  return engine;
}

const words = ["red", "green", "blue", "grey"];
const tokenizer = buildTokenizer({ kind: "word", vocabularySize: 64 }, ["say red green blue grey yes no 1 2 3"]);

async function configOf(world: World, changes: Record<string, unknown> = {}) {
  const base = join(world.folder, "base");
  if (!existsSync(base)) {
    mkdirSync(base, { recursive: true });
    const engine = await open();
    const { vocabularySize } = tokenizer;
    const sizes = { family: "gpt2", layers: 2, width: 16, heads: 2, tieEmbeddings: true, context: 24, vocabularySize };
    const { id } = await engine.createModel({
      config: { ...sizes, textIds: textIdsOf(tokenizer) },
      heads: ["lm"],
      seed: 1,
    });
    await saveModelFolder({ engine, tokenizer, model: id, folder: base });
  }
  const write = (name: string, rows: object[]) => {
    const path = join(world.folder, name);
    writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    return { path };
  };
  const steps = { schedule: "constant", warmup: 0, checkpointEvery: 2, learningRate: 0.01, steps: 4, batchSize: 4 };
  const { steps: _, batchSize: __, ...ppo } = steps;
  const each = [...words, ...words];
  return configSchema.parse({
    objective: "say yes",
    seed: 3,
    threads: 1,
    model: { path: base },
    tokenizer: { kind: "file", path: base },
    lora: { rank: 2, alpha: 4 },
    sft: {
      data: write(
        "sft.jsonl",
        each.map((word, i) => ({ prompt: `say ${word} ${i % 3}`, completion: `yes ${word}` })),
      ),
      evaluationShare: 0.25,
      ...steps,
    },
    reward: {
      data: write(
        "pairs.jsonl",
        each.map((word) => ({ prompt: `say ${word}`, chosen: `yes ${word}`, rejected: `no ${word}` })),
      ),
      normalisationSamples: 8,
      ...steps,
    },
    ppo: {
      prompts: write(
        "prompts.jsonl",
        words.map((word) => ({ prompt: `say ${word}` })),
      ),
      iterations: 4,
      sequences: 8,
      maxNewTokens: 4,
      slowCritic: { decay: 0.9 },
      ...ppo,
    },
    evaluation: { samples: 8 },
    control: { noise: { every: 2, microBatches: 2 } },
    ...changes,
  });
}

async function run(world: World, { changes = {}, resume = false, stopAfter = Number.POSITIVE_INFINITY } = {}) {
  const engine = await open();
  const config = await configOf(world, changes);
  let polls = 0;
  return runPipeline({
    ...{ config, folder: world.folder, recorder: world.store.recorder(), engine, resume },
    onProgress: () => {},
    interrupted: () => ++polls > stopAfter,
  });
}

const file = (world: World, ...path: string[]) => readFileSync(join(world.folder, ...path), "hex");

it("hands each of its settings to the engine", () => {
  const lora = { rank: 3, alpha: 5, rslora: true, targets: ["c_fc"] };
  expect(adapterOf(configSchema.parse({ lora }))).toEqual(lora);
  expect(adapterOf(configSchema.parse({ lora: {} }))).toEqual({ rank: 16, alpha: 32, rslora: false });
  expect(adapterOf(configSchema.parse({}))).toBeUndefined();
});

describe("a run with lora", { timeout: 300_000 }, () => {
  it("writes a merged model after SFT and adapters on it afterwards, and goes on with the same bits wherever it was interrupted", async () => {
    const whole = newWorld();
    await run(whole);
    const finals = ["sft", "reward", "ppo"].map((stage) => join(whole.folder, stage, "final"));
    expect(finals.map((folder) => existsSync(join(folder, "model.safetensors")))).toEqual([true, false, false]);
    expect(finals.map((folder) => existsSync(join(folder, "adapter_model.safetensors")))).toEqual([false, true, true]);
    const peft = (folder: string) => JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8"));
    expect(peft(finals[1]!)).toMatchObject({
      r: 2,
      lora_alpha: 4,
      task_type: "SEQ_CLS",
      modules_to_save: ["score"],
      fan_in_fan_out: true,
      base_model_name_or_path: finals[0],
    });
    expect(peft(finals[2]!)).toMatchObject({ task_type: "CAUSAL_LM", target_modules: ["c_attn", "c_proj", "c_fc"] });
    const core = new EmbeddedCore({ threads: 1 });
    const { config } = await core.loadModel(finals[2]!);
    expect(config.adapter).toBeUndefined();
    await core.close();

    const cut = newWorld();
    let resumes = 0;
    for (; ; resumes++) {
      const done = await run(cut, { resume: resumes > 0, stopAfter: 9 }).catch((error: unknown) => error);
      if (!(done instanceof Error)) break;
      if (!(done instanceof Interrupted)) throw done;
    }
    expect(resumes).toBeGreaterThan(3);
    expect(file(cut, "sft", "final", "model.safetensors")).toBe(file(whole, "sft", "final", "model.safetensors"));
    for (const stage of ["reward", "ppo"])
      expect(file(cut, stage, "final", "adapter_model.safetensors")).toBe(
        file(whole, stage, "final", "adapter_model.safetensors"),
      );
    const last = ["ppo", "checkpoint-000004"];
    for (const path of ["policy/optimizer.safetensors", "critic/optimizer.safetensors", "slowCritic/model.safetensors"])
      expect(file(cut, ...last, path)).toBe(file(whole, ...last, path));
  });

  it("starts from an adapter's folder by training it on; its reference is that adapter, frozen: a KL of exactly 0 at first", async () => {
    const first = newWorld();
    await run(first, { changes: { sft: undefined } });
    const adapter = join(first.folder, "ppo", "final");
    const second = newWorld();
    const { ppo } = await configOf(second);
    const changes = {
      ...{ sft: undefined, reward: undefined, lora: { rank: 9 }, control: { interventions: "off" } },
      ppo: { ...ppo, policy: adapter, rewards: [{ kind: "length", max: 3 }] },
    };
    await run(second, { changes });
    const json = JSON.parse(readFileSync(join(second.folder, "ppo", "final", "adapter_config.json"), "utf8"));
    expect(json).toMatchObject({ r: 2, base_model_name_or_path: join(first.folder, "base") });
    const kl = second.store.metrics.flatMap(({ values }) => values["kl/ref_k1_token"] ?? []);
    expect(kl[0]).toBe(0);
    expect(Math.abs(kl.at(-1)!)).toBeGreaterThan(1e-4);
    const told = (world: typeof first) =>
      world.store.events.some(({ message }) => /of rank 2 .*is trained on/.test(message));
    expect(told(second)).toBe(true);
    // The critic of the first run trains on the reward model's adapter, which has the run's own settings.
    expect(told(first)).toBe(false);
  });

  it("is refused before SFT trains if the reward model's adapter stands on other weights", async () => {
    const world = newWorld();
    const { reward } = await configOf(world);
    const [base, scores] = [join(world.folder, "base"), join(world.folder, "scores")];
    mkdirSync(scores);
    const core = new EmbeddedCore({ threads: 1 });
    const adapter = await core.loadModel(base, { adapter: { rank: 2, alpha: 4 }, heads: ["scalar"] });
    await core.saveModel(adapter.id, scores);
    const { adapter: _, ...config } = adapter.config;
    const { id } = await core.createModel({ config, heads: ["lm"], seed: 9 });
    await core.saveModel(id, base);
    await core.close();
    await expect(run(world, { changes: { reward: { ...reward, from: scores } } })).rejects.toThrow(
      `the adapter in ${scores} was trained on other weights than those now in ${base}`,
    );
    expect(existsSync(join(world.folder, "sft"))).toBe(false);
  });
});
