import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BigramEngine } from "../../test/support/bigram-engine.ts";
import { killedAt, wasKilled } from "../../test/support/killed.ts";
import { newWorld, openContext, prompts, startFolder, tokenizer, type World } from "../../test/support/stage.ts";
import { encodePair } from "../data/index.ts";
import { normalise, readNormalisation } from "../reward/index.ts";
import { mean, standardDeviation } from "../rl/index.ts";
import { random } from "../util/random.ts";
import { type RewardInputs, trainReward } from "./reward-model.ts";
import { rollOut } from "./rollout.ts";
import type { StageContext } from "./stage-context.ts";

const base = {
  steps: 10,
  batchSize: 4,
  learningRate: 0.05,
  evaluateEvery: 4,
  normalisationSamples: 40,
  checkpointEvery: 4,
};

/** "a" is preferred to "b". */
const pairs = Array.from({ length: 24 }, (_, i) => {
  const words = ["c", "d e", "f", "g c"][i % 4]!;
  const row = {
    prompt: [{ role: "user" as const, content: words }],
    chosen: `a ${words}`,
    rejected: `b ${["d", "d", "e g", "f"][i % 3]}`,
  };
  return encodePair(row, tokenizer, { context: 32, longPrompts: "error" })!;
});

interface Run {
  readonly world?: World;
  readonly reward?: object;
  readonly context?: Partial<StageContext>;
  readonly prepare?: (engine: BigramEngine) => void;
  readonly heldOut?: RewardInputs["heldOut"];
}

async function run({ world = newWorld(), reward, context: more, prepare, heldOut = pairs.slice(16) }: Run = {}) {
  const context = openContext(world, "reward", { reward: { ...base, ...reward } }, more);
  const policy = await startFolder(world);
  prepare?.(context.engine);
  const result = await trainReward(context, {
    settings: context.config.reward!,
    source: { folder: policy },
    train: pairs.slice(0, 16),
    heldOut,
    normalisation: { policy, prompts: prompts("c", "d"), maxNewTokens: 5, temperature: 1 },
  });
  const read = (file: string) => readFileSync(join(result.folder, file), "utf8");
  return { world, context, policy, result, weights: read("model.safetensors"), normalisation: read("reward.json") };
}

describe("the reward model", () => {
  it("learns to tell the better of two, on pairs it never saw", async () => {
    const { world, result } = await run({ reward: { steps: 60 } });
    const curve = world.store.curve("reward");
    expect(result.values["reward_model/heldout_accuracy"]).toBe(1);
    expect(result.values["reward_model/heldout_accuracy_low"]).toBeLessThan(0.7);
    expect(result.values["reward_model/heldout_loss"]).toBeLessThan(curve.get(0)!["reward_model/heldout_loss"]!);
    expect(curve.get(60)!["reward_model/heldout_accuracy"]).toBe(1);
  });

  it("counts ties as wrong", async () => {
    const same = pairs.map(({ chosen }) => ({ chosen, rejected: chosen }));
    const { result } = await run({ heldOut: same });
    expect(result.values["reward_model/heldout_accuracy"]).toBe(0);
  });

  it("counts held-out pairs of one prompt as alike: four of each know no more than one", async () => {
    const held = pairs.slice(16);
    const interval = async (heldOut: typeof pairs) => {
      const { values } = (await run({ heldOut, reward: { steps: 1 } })).result;
      return ["", "_low", "_high"].map((end) => values[`reward_model/heldout_accuracy${end}`]!);
    };
    const once = await interval(held.slice(0, 4));
    const often = await interval(Array.from({ length: 4 }, () => held.slice(0, 4)).flat());
    expect(often).toEqual(once.map((value) => expect.closeTo(value, 9)));
  });

  it("scores its policy's samples with mean 0 and standard deviation 1", async () => {
    const { context, policy, result } = await run();
    const engine = new BigramEngine();
    const { id: model } = await engine.loadModel(result.folder);
    const { id: speaker } = await engine.loadModel(policy);
    const { sequences } = await rollOut({
      engine,
      tokenizer,
      model: speaker,
      prompts: prompts(...Array<string>(200).fill("c"), ...Array<string>(200).fill("d")),
      maxNewTokens: 5,
      temperature: 1,
      topK: 0,
      topP: 1,
      seed: 99,
      onProgress: () => {},
    });
    const { scores } = await engine.forward(model, { sequences, outputs: ["score"] });
    const normalised = scores!.map((score) => normalise(score, readNormalisation(result.folder)));
    // Different samples from those used to compute it, so only approximately.
    expect(Math.abs(mean(normalised))).toBeLessThan(0.5);
    expect(standardDeviation(normalised)).toBeGreaterThan(0.6);
    expect(standardDeviation(normalised)).toBeLessThan(1.6);
    expect(context.progress.some(({ message }) => message?.startsWith("normalising"))).toBe(true);
  });

  it.each<[string, object]>([
    ["steps", { steps: 7 }],
    ["batchSize", { batchSize: 3 }],
    ["learningRate", { learningRate: 0.01 }],
    ["margin", { margin: 2 }],
    ["schedule", { schedule: "constant" }],
    ["schedule step", { schedule: "step", stepEvery: 2 }],
    ["warmup", { warmup: 0.8 }],
    ["beta1", { beta1: 0.2 }],
    ["beta2", { beta2: 0.2 }],
    ["epsilon", { epsilon: 0.2 }],
    ["weightDecay", { weightDecay: 0.9 }],
    ["maxGradNorm", { maxGradNorm: 1e-8 }],
  ])("heeds %s", async (_, change) => {
    expect((await run({ reward: change })).weights).not.toBe((await run()).weights);
  });

  it("heeds normalisationSamples: other samples, another scale; none, none", async () => {
    const { normalisation, weights } = await run();
    const other = await run({ reward: { normalisationSamples: 7 } });
    expect(other.weights).toBe(weights);
    expect(other.normalisation).not.toBe(normalisation);
    const none = await run({ reward: { normalisationSamples: 0 } });
    expect(JSON.parse(none.normalisation)).toMatchObject({ mean: 0, standardDeviation: 1, samples: 0 });
  });

  it("gives the same weights however a step is split", async () => {
    const U = (text: string): number[] => JSON.parse(text).U;
    const whole = await run({ reward: { microBatch: 4 } });
    const split = await run({ reward: { microBatch: 1 } });
    for (const [i, u] of U(whole.weights).entries()) expect(U(split.weights)[i]).toBeCloseTo(u, 10);
  });
});

it.each([1, 2, 3])("killed anywhere, ends in the same model and scale (%i)", async (seed) => {
  const whole = await run();
  const stream = random("kill", seed);
  const world = newWorld();
  while (await wasKilled(run({ world, prepare: killedAt(15 + stream.integer(20)), context: { resume: true } })));
  const read = (file: string) => readFileSync(join(world.folder, "reward", "final", file), "utf8");
  expect(read("model.safetensors")).toBe(whole.weights);
  expect(read("reward.json")).toBe(whole.normalisation);
  expect([...world.store.curve("reward")]).toEqual([...whole.world.store.curve("reward")]);
});
