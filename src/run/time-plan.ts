/** Seconds of one PPO iteration on this machine, from short measurements of the policy's shape with one layer and with two. */
import type { Config } from "../config/index.ts";
import type { Engine, ModelConfig } from "../engine/engine.ts";
import { openEngine } from "../engine/open-engine.ts";
import { blockProjections } from "../models/family.ts";
import { learnedComponents } from "../reward/index.ts";
import { hasCritic } from "../settings/algorithm-table.ts";
import type { MemoryPlan } from "./memory-plan.ts";

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

/** Measures and adds up. The configuration must have a section ppo. */
export async function planTime(
  config: Config,
  { policy, pass }: Pick<MemoryPlan, "policy" | "pass">,
): Promise<TimePlan> {
  const ppo = config.ppo!;
  const { threads, recompute } = config;
  const engine = await openEngine({ ...config.engine, threads, recompute });
  const rows = Math.min(ppo.sequences, 64);
  try {
    const one = await measureLayers(engine, { policy, layers: 1, pass, rows });
    const two = await measureLayers(engine, { policy, layers: 2, pass, rows });
    const whole = (part: keyof Measured) => Math.max(0, one[part] + (policy.layers - 1) * (two[part] - one[part]));
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

/** Seconds of each call; each is made twice, and the second counts, because the first compiles a graph. */
async function measureLayers(
  engine: Engine,
  options: {
    readonly policy: ModelConfig;
    readonly layers: number;
    readonly pass: MemoryPlan["pass"];
    readonly rows: number;
  },
): Promise<Measured> {
  const { policy, layers, pass, rows } = options;
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
  const measured = {
    sample: await seconds(() => engine.sample(id, { prompts, maxNewTokens: newTokens, ...sampling })),
    forward: await seconds(() => engine.forward(id, { sequences, outputs: ["logprobs", "entropy"] })),
    loss: await seconds(() => engine.forwardBackward(id, { ...loss, config: settings })),
    step: 0,
  };
  const start = performance.now();
  await engine.optimStep(id, adam);
  const step = (performance.now() - start) / 1000;
  await engine.disposeModel(id);
  return { ...measured, sample: (measured.sample * sampledTokens) / newTokens, step };
}

/** The configuration with fewer layers; options with an entry for each layer are cut too, and so is an adapter. */
function withLayers(config: ModelConfig, layers: number): ModelConfig {
  const cut = (value: unknown) =>
    Array.isArray(value) && value.length === config.layers ? value.slice(0, layers) : value;
  const options = Object.fromEntries(Object.entries(config.options ?? {}).map(([name, value]) => [name, cut(value)]));
  const { adapter, ...plain } = config;
  const short = { ...plain, layers, ...(config.options && { options }) };
  if (adapter === undefined) return short;
  const names = new Set(blockProjections(short).map(({ name }) => name));
  return { ...short, adapter: { ...adapter, modules: adapter.modules.filter(({ name }) => names.has(name)) } };
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  await work();
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
