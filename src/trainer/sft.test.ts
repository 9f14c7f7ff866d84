import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { BigramEngine } from "../../test/support/bigram-engine.ts";
import { killedAt, wasKilled } from "../../test/support/killed.ts";
import { newWorld, openContext, sizes, startFolder, tokenizer, type World } from "../../test/support/stage.ts";
import { encodeSft } from "../data/index.ts";
import { Interrupted } from "../util/errors.ts";
import { random } from "../util/random.ts";
import type { Progress } from "./run-types.ts";
import { trainSft } from "./sft.ts";
import type { StageContext } from "./stage-context.ts";

const base = { steps: 12, batchSize: 4, learningRate: 0.05, evaluateEvery: 4, checkpointEvery: 5 };

const rows = ["a b", "a b c", "a b c d", "a b", "a b c d e", "a b c"].map((completion) => {
  const prompt = [{ role: "user" as const, content: "g f" }];
  return encodeSft({ prompt, completion }, tokenizer, { context: 32, longPrompts: "error" })!;
});

interface Run {
  readonly world?: World;
  readonly sft?: object;
  readonly context?: Partial<StageContext>;
  readonly prepare?: (engine: BigramEngine) => void;
  readonly from?: string;
}

async function run({ world = newWorld(), sft, context: more, prepare, from }: Run = {}) {
  const context = openContext(world, "sft", { sft: { ...base, ...sft } }, more);
  prepare?.(context.engine);
  const result = await trainSft(context, {
    settings: context.config.sft!,
    source: from === undefined ? { sizes } : { folder: from },
    train: rows.slice(0, 5),
    heldOut: rows.slice(5),
  });
  const weights = readFileSync(join(result.folder, "model.safetensors"), "utf8");
  return { world, context, result, weights, curve: world.store.curve("sft") };
}

const W = (text: string): number[] => JSON.parse(text).W;
const rowOf = (weights: number[], word: string) => {
  const V = tokenizer.vocabularySize;
  const token = tokenizer.encode(word)[0]!;
  return weights.slice(token * V, (token + 1) * V);
};

describe("fine-tuning", () => {
  it("lowers the loss on rows it never saw", async () => {
    const reports: Progress[] = [];
    const onProgress = (report: Progress) => void reports.push(report);
    const { curve, result } = await run({ sft: { steps: 100 }, context: { onProgress } });
    const measured = [...curve].flatMap(([step, row]) =>
      "sft/heldout_loss" in row ? [[step, row["sft/heldout_loss"]!]] : [],
    );
    expect(measured.map(([step]) => step)).toEqual([...Array.from({ length: 25 }, (_, i) => 4 * i), 100]);
    expect(measured[0]![1]).toBeGreaterThan(2);
    expect(measured.at(-1)![1]).toBeLessThan(1);
    expect(result.values["sft/heldout_loss"]).toBe(measured.at(-1)![1]);
    // What is shown when the stage is done.
    expect(reports.at(-1)).toMatchObject({ step: 100, values: { "sft/heldout_loss": measured.at(-1)![1] } });
  });

  it("carries no loss for prompt tokens", async () => {
    const world = newWorld();
    const start = await startFolder(world);
    const { weights } = await run({ world, from: start });
    const before = W(readFileSync(join(start, "model.safetensors"), "utf8"));
    // "g" is followed by "f" only inside the prompt: that row was never touched.
    expect(rowOf(W(weights), "g")).toEqual(rowOf(before, "g"));
    expect(rowOf(W(weights), "a")).not.toEqual(rowOf(before, "a"));
  });

  it("gives the same weights however a step is split", async () => {
    const whole = await run({ sft: { microBatch: 4 } });
    const split = await run({ sft: { microBatch: 1 } });
    for (const [i, w] of W(whole.weights).entries()) expect(W(split.weights)[i]).toBeCloseTo(w, 10);
  });

  it.each<[string, object]>([
    ["steps", { steps: 9 }],
    ["batchSize", { batchSize: 3 }],
    ["learningRate", { learningRate: 0.02 }],
    ["schedule", { schedule: "linear" }],
    ["schedule step", { schedule: "step", stepEvery: 2 }],
    ["warmup", { warmup: 0.5 }],
    ["beta1", { beta1: 0.5 }],
    ["beta2", { beta2: 0.5 }],
    ["epsilon", { epsilon: 0.1 }],
    ["weightDecay", { weightDecay: 0.5 }],
    ["maxGradNorm", { maxGradNorm: 1e-9 }],
  ])("heeds %s", async (_, change) => {
    const { weights } = await run({ sft: change });
    expect(weights).not.toBe((await run()).weights);
    expect(weights).toBe((await run({ sft: change })).weights);
  });
});

describe("a run killed, or interrupted, anywhere", () => {
  it.each([1, 2, 3])("ends in the same weights and metrics (%i)", async (seed) => {
    const whole = await run();
    const stream = random("kill", seed);
    const world = newWorld();
    const killed = (n: number) => wasKilled(run({ world, prepare: killedAt(n), context: { resume: true } }));
    while (await killed(15 + stream.integer(20)));
    const weights = readFileSync(join(world.folder, "sft", "final", "model.safetensors"), "utf8");
    expect(weights).toBe(whole.weights);
    expect([...world.store.curve("sft")]).toEqual([...whole.curve]);
  });

  it.each([1, 8, 17, 30])("asked at question %i", async (question) => {
    const whole = await run({ sft: { microBatch: 2 } });
    const world = newWorld();
    let asked = 0;
    const context = { interrupted: () => ++asked >= question };
    await expect(run({ world, sft: { microBatch: 2 }, context })).rejects.toThrow(Interrupted);
    const { weights, curve } = await run({ world, sft: { microBatch: 2 }, context: { resume: true } });
    expect(weights).toBe(whole.weights);
    expect([...curve]).toEqual([...whole.curve]);
  });
});

describe("a loss that turns NaN", () => {
  const nanAt =
    (...calls: number[]) =>
    (engine: BigramEngine) => {
      let call = 0;
      engine.distort = (result) => (calls.includes(call++) ? { ...result, loss: Number.NaN } : result);
    };

  it("skips its step, and is told", async () => {
    const { world, curve } = await run({ prepare: nanAt(3) });
    expect(curve.get(3)!["update/steps_skipped"]).toBe(1);
    expect(existsSync(join(world.folder, "sft", "dumps", "iteration-3-step-0.json"))).toBe(true);
    expect(curve.get(4)!["sft/loss"]).not.toBeNaN();
  });

  it("twice in a row ends the run with its state saved", async () => {
    const world = newWorld();
    await expect(run({ world, prepare: nanAt(3, 4) })).rejects.toThrow(
      /sft 4: a loss or gradient is not finite, for the second/,
    );
    expect(existsSync(join(world.folder, "sft", "checkpoint-000005"))).toBe(true);
  });
});

it("a tokenizer that writes more tokens than the model knows is refused", async () => {
  const world = newWorld();
  const start = await startFolder(world);
  const path = join(start, "config.json");
  const { config, heads } = JSON.parse(readFileSync(path, "utf8"));
  writeFileSync(path, JSON.stringify({ config: { ...config, vocabularySize: 5 }, heads }));
  await expect(run({ world, from: start })).rejects.toThrow(/has a vocabulary of 5 tokens; the tokenizer writes 13/);
});
