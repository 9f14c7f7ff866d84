/** Seconds of one PPO iteration on this machine, from short measurements of the policy's shape with one layer and with two. */
import type { Config } from "../config/index.ts";
import type { Engine, ModelConfig } from "../engine/engine.ts";
import { openEngine } from "../engine/open-engine.ts";
import { blockProjections } from "../models/family.ts";
import { learnedComponents } from "../reward/index.ts";
import { hasCritic } from "../settings/algorithm-table.ts";
import type { MemoryPlan } from "./memory-plan.ts";

type Clock = () => number;

/** Calls that are measured, of which the fastest counts. */
const repetitions = 3;

/** Tokens that each row samples in the measurement. */
const sampledTokens = 16;

/** The parts of an iteration in seconds. Responses count with their greatest length, so texts that stop early take less. */
export interface TimePlan {
  readonly generation: number;
  readonly passes: number;
  readonly update: number;
  readonly total: number;
}

interface Measured {
  readonly sample: number;
  readonly forward: number;
  readonly loss: number;
  readonly step: number;
}

/** Measures and adds up. The configuration must have a section ppo. `clock` counts seconds: by default as they pass. */
export async function planTime(
  config: Config,
  { policy, pass }: Pick<MemoryPlan, "policy" | "pass">,
  clock: Clock = () => performance.now() / 1000,
): Promise<TimePlan> {
  const ppo = config.ppo!;
  const { threads, recompute } = config;
  // Only the policy is measured: engines of other roles are not opened, least of all one on a server.
  const { reference: _reference, critic: _critic, reward: _reward, ...ofPolicy } = config.engine;
  const engine = await openEngine({ ...ofPolicy, threads, recompute, base: config.model.path });
  const rows = Math.min(ppo.sequences, 64);
  try {
    const one = await measureLayers(engine, { policy, layers: 1, pass, rows, clock });
    const two = await measureLayers(engine, { policy, layers: 2, pass, rows, clock });
    // On a busy machine two layers may seem faster than one, but no model is faster than a part of it.
    const whole = (part: keyof Measured) =>
      Math.max(one[part], one[part] + (policy.layers - 1) * (two[part] - one[part]));
    const passes = Math.ceil(ppo.sequences / pass.sequences);
    const critics = hasCritic(ppo.algorithm) && ppo.criticKind === "separate" ? 1 : 0;
    const readers = 2 + Number(hasCritic(ppo.algorithm)) + learnedComponents(ppo.rewards).length;
    const generation = (whole("sample") * (ppo.sequences / rows) * ppo.maxNewTokens) / sampledTokens;
    const reading = readers * passes * whole("forward");
    const steps = ppo.epochs * ppo.minibatches;
    const update = (1 + critics) * (ppo.epochs * passes * whole("loss") + steps * whole("step"));
    return { generation, passes: reading, update, total: generation + reading + update };
  } finally {
    await engine.close();
  }
}

/** Seconds of each call, after one that compiles its graph. */
async function measureLayers(
  engine: Engine,
  options: {
    readonly policy: ModelConfig;
    readonly layers: number;
    readonly pass: MemoryPlan["pass"];
    readonly rows: number;
    readonly clock: Clock;
  },
): Promise<Measured> {
  const { policy, layers, pass, rows, clock } = options;
  const { id } = await engine.createModel({ config: withLayers(policy, layers), heads: ["lm"], seed: 1 });
  const length = Math.max(2, pass.length);
  const tokens = (b: number) => Array.from({ length }, (_, t) => (31 * b + 7 * t) % policy.vocabularySize);
  const sequences = Array.from({ length: pass.sequences }, (_, b) => ({ tokens: tokens(b), start: 1 }));
  const perToken = sequences.map(() => new Array<number>(length - 1).fill(1 / length));
  const settings = { clipLow: 0.2, clipHigh: 0.2, dualClip: null, entropyCoef: 0.01, kl: null, temperature: 1 };
  const loss = { name: "policy", sequences, weights: perToken, oldLogprobs: perToken, advantages: perToken } as const;
  const prompts = Array.from({ length: rows }, (_, b) => tokens(b).slice(0, Math.max(1, length - sampledTokens)));
  const sampling = { stopTokens: [], temperature: 1, topK: 0, topP: 1, seed: 1 };
  const newTokens = Math.min(sampledTokens, length - 1);
  const adam = { learningRate: 1e-5, beta1: 0.9, beta2: 0.999, epsilon: 1e-5, weightDecay: 0, maxGradNorm: 1 };
  const gradient = () => engine.forwardBackward(id, { ...loss, config: settings });
  const sample = () => engine.sample(id, { prompts, maxNewTokens: newTokens, ...sampling });
  const measured = {
    sample: ((await seconds(sample, { clock })) * sampledTokens) / newTokens,
    forward: await seconds(() => engine.forward(id, { sequences, outputs: ["logprobs", "entropy"] }), { clock }),
    loss: await seconds(gradient, { clock }),
    step: await seconds(() => engine.optimStep(id, adam), { clock, before: gradient }),
  };
  await engine.disposeModel(id);
  return measured;
}

/** The configuration with fewer layers; options with an entry for each layer are cut too, and so is an adapter. */
function withLayers(config: ModelConfig, layers: number): ModelConfig {
  const cut = (value: unknown) =>
    Array.isArray(value) && value.length === config.layers ? value.slice(0, layers) : value;
  const options = Object.fromEntries(Object.entries(config.options ?? {}).map(([name, value]) => [name, cut(value)]));
  const { adapter, ...plain } = config;
  const short = { ...plain, layers, ...(config.options && { options }) };
  if (adapter === undefined) return short;
  // A layer has the modules of the one that it stands for: the first with any, and those after it.
  const all = blockProjections(config);
  const ofLayer = all.length / config.layers;
  const adapted = new Map(adapter.modules.map((module) => [module.name, module]));
  const first = Math.max(0, Math.floor(all.findIndex(({ name }) => adapted.has(name)) / ofLayer));
  const modules = blockProjections(short).flatMap(({ name }, i) => {
    const module = adapted.get(all[(first * ofLayer + i) % all.length]!.name);
    return module === undefined ? [] : [{ ...module, name }];
  });
  return { ...short, adapter: { ...adapter, modules } };
}

async function seconds(
  work: () => Promise<unknown>,
  { clock, before = async () => {} }: { readonly clock: Clock; readonly before?: () => Promise<unknown> },
): Promise<number> {
  await before();
  await work();
  const times: number[] = [];
  for (let i = 0; i < repetitions; i++) {
    await before();
    const start = clock();
    await work();
    times.push(clock() - start);
  }
  return Math.min(...times);
}
