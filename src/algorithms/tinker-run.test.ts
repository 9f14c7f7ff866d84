/** Online runs whose policy and reference are on a Tinker server in this process, and whose critic is on an engine of its own. */
import { cpSync, existsSync, linkSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { BigramEngine } from "../../test/support/bigram-engine.ts";
import { BigramEngine as Critic } from "../../test/support/bigram-engine.ts";
import { FakeTinker, newDisk } from "../../test/support/fake-tinker.ts";
import { killedAt, wasKilled } from "../../test/support/killed.ts";
import { wantsA } from "../../test/support/run-ppo.ts";
import {
  newWorld,
  openContext,
  prompts,
  rewardOf,
  sizes,
  startFolder,
  temporaryFolder,
  type World,
} from "../../test/support/stage.ts";
import { routedEngine } from "../engine/routed-engine.ts";
import { createTinkerEngine } from "../engine/tinker/index.ts";
import { writeModelConfig } from "../models/hf-folder.ts";
import { planTinker } from "../run/tinker-plan.ts";
import { configSchema, type PpoConfig } from "../settings/config-schema.ts";
import type { TinkerBackendName } from "../settings/tinker-backend-names.ts";
import { statesIn } from "../trainer/model-folder.ts";
import { EngineError } from "../util/errors.ts";
import { trainOnline } from "./online-stage.ts";

const settings = {
  ...{ iterations: 4, sequences: 16, minibatches: 2, epochs: 1, maxNewTokens: 6, learningRate: 0.2, entropyCoef: 0 },
  criticLearningRate: 0.05,
  ...{ maxGradNorm: null, checkpointEvery: 2, storedSamples: 2, rewardSamples: 0, lambdaFrom: 0.01 },
};

/** A process that trains: its engines are its own, the world and the server are not. */
async function train(
  world: World,
  url: string,
  {
    ppo = {},
    prepare = () => {},
    resume = false,
    policy,
    backend = "skyrl-jax",
  }: {
    ppo?: object;
    prepare?: (critic: BigramEngine) => void;
    resume?: boolean;
    /** The state that the policy begins from, in place of the base model. */
    policy?: string;
    backend?: TinkerBackendName;
  } = {},
) {
  const base = join(world.folder, "base");
  mkdirSync(base, { recursive: true });
  writeModelConfig(base, { config: sizes, heads: ["lm"] });
  const critic = new Critic();
  const start = await startFolder(world);
  prepare(critic);
  const engine = routedEngine(await createTinkerEngine({ url, model: "tiny", backend, base, patience: 100 }), {
    critic,
  });
  const still = { every: 0 };
  const context = openContext(
    world,
    "ppo",
    {
      control: { probes: still, noise: still, monitor: still, robustness: still },
      lora: { rank: 4 },
      ppo: { ...settings, ...ppo },
    },
    { engine: engine as unknown as BigramEngine, resume },
  );
  await trainOnline(context, {
    settings: context.config.ppo as PpoConfig,
    sources: { policy: policy ?? base, reference: base, critic: start },
    frozen: { reference: base },
    prompts: prompts("b", "c d", "e f g", "d"),
    openReward: async () => rewardOf(wantsA),
    rules: [],
    measuring: { gold: null, monitor: [], pairs: [], ratings: [] },
  }).catch(async (error) => {
    // A process that is killed closes nothing.
    if (error instanceof EngineError) await engine.close();
    throw error;
  });
  await engine.close();
  return world.store.curve("ppo");
}

async function served(disk = newDisk()) {
  const server = new FakeTinker(sizes, disk);
  server.slots = 2;
  const url = await server.start();
  onTestFinished(() => server.stop().catch(() => {}));
  return { server, url, disk };
}

function copyFiles(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
}

/** As a fork takes a checkpoint over. */
function linkFiles(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) linkFiles(source, target);
    else linkSync(source, target);
  }
}

let whole: Awaited<ReturnType<typeof train>> | null = null;
/** The rows of a run that was never cut off. */
async function unbroken() {
  whole ??= await train(newWorld(), (await served()).url);
  return whole;
}

test("PPO learns with two adapters on the server, interventions on, and the critic elsewhere", async () => {
  const { server, url } = await served();
  server.samplerGap = 0.01;
  const curve = await train(newWorld(), url, {
    ppo: { iterations: 8, epochs: 2, learningRate: 0.4, criticWarmup: 2, kl: { coef: 0 } },
  });
  const score = [...curve.values()].map((row) => row["reward/score_mean"]!);
  expect(score.at(-1)!).toBeGreaterThan(score[0]! + 1);
  const first = curve.get(0)!;
  expect(first["ratio/first_max_deviation"]).toBe(0);
  expect(first["kl/ref_k1_token"]).toBe(0);
  expect(first["sampler/gap_mean"]).toBeCloseTo(0.01, 5);
  expect(first["sampler/kl_k3_token"]).toBeCloseTo(Math.expm1(-0.01) + 0.01, 8);
  expect(first["entropy/mean"]).toBeGreaterThan(1);
  expect(first["entropy/std"]).toBeUndefined();
  // While only the critic learns the policy stays, and lambda is 1 until the critic explains enough.
  expect(curve.get(2)!["kl/ref_k3_token"]).toBe(0);
  expect(curve.get(3)!["kl/ref_k3_token"]).toBeGreaterThan(0);
  for (const [i, row] of curve) {
    const explained = curve.get(i - 1)?.["value/explained_variance"] ?? Number.NaN;
    expect(row["settings/lambda"]).toBe(i >= 2 && explained >= 0.01 ? 0.95 : 1);
  }
  expect(new Set([...curve.values()].map((row) => row["settings/lambda"]))).toEqual(new Set([1, 0.95]));
  expect(server.models.size).toBe(0);
});

test("an iteration submits what the plan says", async () => {
  const counted = async (iterations: number) => {
    const { server, url } = await served();
    await train(newWorld(), url, { ppo: { iterations, checkpointEvery: 0 } });
    const paths = ["forward_backward", "optim_step", "save_weights", "save_weights_for_sampler"];
    return server.asked.filter(({ path }) => paths.includes(path)).length;
  };
  const [two, three] = [await counted(2), await counted(3)];
  const config = configSchema.parse({
    engine: { kind: "tinker", url: "http://127.0.0.1:1", model: "tiny", backend: "skyrl-jax" },
    ppo: { ...settings, prompts: { path: "p.jsonl" } },
  });
  const { requests, sequences } = planTinker(config, { vocabularySize: 32, lengths: { ppo: [8] } });
  expect(three - two).toBe(requests - sequences);
});

test.each([
  ["in the same workspace", (world: World) => `${world.folder}-fork`, copyFiles],
  ["in a different one, by links", () => join(temporaryFolder(), "fork"), linkFiles],
])(
  "the state of a checkpoint that is pruned is deleted on the server, unless a fork names it %s",
  async (_, place, copy) => {
    const { url, disk } = await served();
    const world = newWorld();
    const kept = { checkpointEvery: 1, keep: 1 };
    await train(world, url, { ppo: { ...kept, iterations: 1 } });
    const fork = place(world);
    onTestFinished(() => rmSync(fork, { recursive: true, force: true }));
    const checkpoint = join("ppo", "checkpoint-000001");
    copy(join(world.folder, checkpoint), join(fork, checkpoint));
    const before = [...disk.states.keys()];
    await train(world, url, { resume: true, ppo: { ...kept, iterations: 4 } });
    expect(existsSync(join(world.folder, checkpoint))).toBe(false);
    // Checkpoints were saved after iterations 1 to 4: the second has been pruned, and the last result has replaced the first.
    const now = statesIn(join(world.folder, "ppo"), { depth: 2 });
    expect(now).toHaveLength(4);
    expect([...disk.states.keys()].sort()).toEqual([...new Set([...before, ...now])].sort());
  },
);

test("a run that begins from somebody's state on the server leaves it there, and takes over none of its moments", async () => {
  const { server, url, disk } = await served();
  server.slots = 4;
  await train(newWorld(), url);
  const [somebodys] = [...disk.states.keys()].slice(-1) as [string];
  const settings = { policy: somebodys, ppo: { checkpointEvery: 0, keep: 1 } };
  const rows = await train(newWorld(), url, settings);
  expect(disk.states.has(somebodys)).toBe(true);
  // Killed before its first later checkpoint: it goes on from the one that it wrote at its start.
  const world = newWorld();
  expect(await wasKilled(train(world, url, { ...settings, prepare: killedAt(22) }))).toBe(true);
  expect(world.store.curve("ppo").size).toBeGreaterThan(1);
  expect(readdirSync(join(world.folder, "ppo"))).toEqual(["checkpoint-000000"]);
  expect([...(await train(world, url, { ...settings, resume: true }))]).toEqual([...rows]);
  // Nothing of the run names it, so no checkpoint that is pruned takes it along.
  expect(statesIn(world.folder, { depth: 3 })).not.toContain(somebodys);
  expect(disk.states.has(somebodys)).toBe(true);
});

test.each(["ppo", "rloo", "grpo"])(
  "%s learns from answers whose ends the server leaves out, some of them empty",
  async (algorithm) => {
    const { server, url } = await served();
    Object.assign(server, { leavesOutEnds: true, reduction: "sum" });
    const world = newWorld();
    const groups = algorithm === "ppo" ? {} : { algorithm, responsesPerPrompt: 4, lambdaFrom: null };
    const curve = await train(world, url, {
      backend: "hosted",
      ppo: { iterations: 8, learningRate: 0.4, kl: { coef: 0 }, missingEosPenalty: 1, ...groups },
    });
    const scores = [...curve.values()].map((row) => row["reward/score_mean"]!);
    expect(scores.at(-1)!).toBeGreaterThan(scores[0]! + 0.5);
    for (const row of curve.values())
      expect(row["response/eos_share"]).toBeCloseTo(1 - row["response/truncated_share"]!, 10);
    expect(curve.get(0)!["response/eos_share"]).toBeGreaterThan(0);
    expect(world.store.samples.some(({ tokens }) => tokens.length === 0)).toBe(true);
  },
);

test("a client that is killed at some call goes on from its last checkpoint, with the rows of one that was not", async () => {
  const { server, url } = await served();
  // What the dead client holds is free only when its session ends.
  server.slots = 4;
  const world = newWorld();
  expect(await wasKilled(train(world, url, { prepare: killedAt(22) }))).toBe(true);
  expect(world.store.curve("ppo").size).toBeGreaterThan(1);
  expect([...(await train(world, url, { resume: true }))]).toEqual([...(await unbroken())]);
});

test("numbers that cannot be trusted end the run before its next checkpoint is due; resumed, it loses only that iteration", async () => {
  const { server, url } = await served();
  const world = newWorld();
  let steps = 0;
  server.trouble = (path) => {
    if (path === "optim_step" && ++steps === 7) server.distort = (rows) => rows.map((row) => row.map(() => Number.NaN));
    return undefined;
  };
  const error = await train(world, url, { ppo: { checkpointEvery: 0 } }).catch((error) => error);
  expect(error.message).toContain("not finite");
  // Two steps an iteration: the seventh is of the fourth.
  expect(readdirSync(join(world.folder, "ppo")).filter((name) => name.startsWith("checkpoint"))).toContain(
    "checkpoint-000003",
  );
  server.distort = (rows) => rows;
  const resumed = await train(world, url, { resume: true, ppo: { checkpointEvery: 0 } });
  expect([...resumed]).toEqual([...(await unbroken())]);
});

test("a session that the server ends in the middle ends the run with a sentence; resumed, it has the same rows", async () => {
  const { server, url } = await served();
  const world = newWorld();
  let steps = 0;
  server.trouble = (path) => {
    if (path === "optim_step" && ++steps === 6) server.expire();
    return undefined;
  };
  const error = await train(world, url).catch((error) => error);
  expect(error).toBeInstanceOf(EngineError);
  expect(error.message).toMatch(/the server does not have what optim_step needs any more: Model model_\d+ not loaded/);
  expect(error.hint).toMatch(/its session ended.*ballast resume/s);
  expect([...(await train(world, url, { resume: true }))]).toEqual([...(await unbroken())]);
});

test("a server that ends in the middle ends the run with a sentence; started again on its disk, the run has the same rows", async () => {
  const { server, url, disk } = await served();
  const world = newWorld();
  let steps = 0;
  server.trouble = (path) => {
    if (path === "optim_step" && ++steps > 5) server.trouble = () => "cut";
    return undefined;
  };
  const error = await train(world, url).catch((error) => error);
  expect(error).toBeInstanceOf(EngineError);
  expect(error.message).toContain("cannot be reached");
  expect(error.hint).toContain("ballast resume");
  await server.stop();
  const again = await served(disk);
  expect([...(await train(world, again.url, { resume: true }))]).toEqual([...(await unbroken())]);
  const states = [...disk.states.keys()];
  // A second server that lacks them says so.
  const other = await served();
  await expect(train(world, other.url, { resume: true, ppo: { iterations: 5 } })).rejects.toThrow(
    new RegExp(`the server has no state (${states.join("|")})`),
  );
});
