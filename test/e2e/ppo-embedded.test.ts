/** PPO on the real engine, with a model small enough to train in seconds. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { trainOnline } from "../../src/algorithms/online-stage.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import { familyNames } from "../../src/models/family.ts";
import type { StageContext } from "../../src/trainer/stage-context.ts";
import { Interrupted } from "../../src/util/errors.ts";
import { wantsA } from "../support/run-ppo.ts";
import { newWorld, openContext, prompts, rewardOf, sizes, type World } from "../support/stage.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine({ kind: "embedded", threads: 1 });
});
afterAll(() => engine.close());

interface RunOptions extends Partial<StageContext> {
  readonly world?: World;
  readonly family?: string;
}

async function run(ppo: object, { world = newWorld(), family = "gpt2", ...more }: RunOptions = {}) {
  const sections = { ppo: { maxNewTokens: 6, checkpointEvery: 0, ...ppo } };
  const context = { ...openContext(world, "ppo", sections, more), engine: more.engine ?? engine };
  const start = join(world.folder, "start");
  if (!existsSync(start)) {
    mkdirSync(start);
    const config = { ...sizes, family, width: 32, heads: 2 };
    const { id } = await engine.createModel({ config, heads: ["lm"], seed: 5 });
    await engine.saveModel(id, start);
    await engine.disposeModel(id);
  }
  await trainOnline(context, {
    settings: context.config.ppo!,
    sources: { policy: start, reference: start, critic: start },
    frozen: { reference: start },
    prompts: prompts("b", "c d", "e f g", "d"),
    openReward: async () => rewardOf(wantsA),
    rules: [],
    measuring: { gold: null, monitor: [], pairs: [], ratings: [] },
  });
  return world.store.curve("ppo");
}

it("starts at a ratio of 1 within 1e-5 in every update, and learns", async () => {
  const curve = await run({ iterations: 40, sequences: 32, epochs: 3, learningRate: 5e-3, kl: { coef: 0 } });
  expect(curve.get(0)!["kl/ref_k1_token"]).toBe(0);
  for (const [iteration, row] of curve) {
    expect(row["ratio/first_max_deviation"], `iteration ${iteration}`).toBeLessThan(1e-5);
    expect(row["rollout/nonfinite_count"]).toBe(0);
  }
  expect(curve.get(0)!["reward/score_mean"]).toBeLessThan(2);
  expect(curve.get(39)!["reward/score_mean"]).toBeGreaterThan(4);
});

it.each(familyNames)("every family starts at a ratio of 1 and no KL to the reference: %s", async (family) => {
  const settings = { iterations: 2, sequences: 16, epochs: 2, minibatches: 2, learningRate: 5e-3 };
  const curve = await run(settings, { family });
  expect(curve.get(0)!["ratio/first_max_deviation"]).toBe(0);
  expect(curve.get(0)!["kl/ref_k1_token"]).toBe(0);
  expect(curve.get(0)!["kl/ref_k3_sequence"]).toBe(0);
  expect(curve.get(1)!["kl/ref_k3_token"]).toBeGreaterThan(1e-6);
  expect(curve.get(1)!["ratio/first_max_deviation"]).toBeLessThan(1e-5);
  expect([...(await run(settings, { family }))]).toEqual([...curve]);
});

it("a Llama learns", async () => {
  const settings = { iterations: 40, sequences: 32, epochs: 3, learningRate: 5e-3, kl: { coef: 0 } };
  const curve = await run(settings, { family: "llama" });
  expect(curve.get(0)!["reward/score_mean"]).toBeLessThan(2);
  expect(curve.get(39)!["reward/score_mean"]).toBeGreaterThan(4);
});

it.each(["separate", "shared"])(
  "accumulates micro-batches to one big batch within 1e-5 (%s critic)",
  async (criticKind) => {
    const settings = { iterations: 1, sequences: 32, epochs: 1, learningRate: 1e-3, criticKind };
    const whole = (await run({ ...settings, microBatch: 32 })).get(0)!;
    const split = (await run({ ...settings, microBatch: 5 })).get(0)!;
    for (const key of ["policy/loss", "value/loss", "gradient/policy_norm", "gradient/critic_norm"]) {
      if (criticKind === "shared" && key === "gradient/critic_norm") continue;
      expect(Math.abs(split[key]! - whole[key]!), key).toBeLessThan(1e-5 * Math.max(1, Math.abs(whole[key]!)));
    }
  },
);

it("has the same bits with its critic on a second engine", async () => {
  const settings = { iterations: 2, sequences: 16, epochs: 2, learningRate: 5e-3, slowCritic: { decay: 0.9 } };
  const two = await openEngine({ kind: "embedded", critic: { kind: "embedded" }, threads: 1 });
  const [one, other] = [newWorld(), newWorld()];
  const curve = await run(settings, { world: one });
  expect([...(await run(settings, { world: other, engine: two }))]).toEqual([...curve]);
  await two.close();
  const bytes = ({ folder }: World, name: string) =>
    readFileSync(join(folder, "ppo", "checkpoint-000002", name, "model.safetensors"), "hex");
  for (const name of ["policy", "critic", "slowCritic"]) expect(bytes(other, name)).toBe(bytes(one, name));
});

it.each([
  ["separate", "clip"],
  ["shared", "penalty"],
])("goes on to the bit with all that moves: %s critic, %s loss", async (criticKind, policyLoss) => {
  const settings = {
    ...{ iterations: 4, sequences: 16, epochs: 2, learningRate: 5e-3, criticKind, policyLoss },
    ...{ schedule: "step", stepEvery: 2, layerRates: {}, slowCritic: { decay: 0.9 }, clipSchedule: "phases" },
    kl: { controller: "ziegler", target: 0.05, targetEnd: 0.01 },
    penalty: { controller: "step", preset: "guide", target: 1e-3 },
  };
  const [whole, cut] = [newWorld(), newWorld()];
  const curve = await run(settings, { world: whole });
  let asked = 0;
  const interrupted = () => cut.store.curve("ppo").size === 2 && ++asked > 1;
  await expect(run(settings, { world: cut, interrupted })).rejects.toThrow(Interrupted);
  expect([...(await run(settings, { world: cut, resume: true }))]).toEqual([...curve]);
  const weights = ({ folder }: World) => readFileSync(join(folder, "ppo", "final", "model.safetensors"), "hex");
  expect(weights(cut)).toBe(weights(whole));
  expect(curve.get(3)!["value/slow_distance"]).toBeGreaterThan(0);
  if (policyLoss === "penalty") expect(curve.get(3)!["kl/old_new_full_token"]).toBeGreaterThan(0);
});
