/**
 * `npx tsx bench/tinker-calls.ts URL FOLDER [BACKEND]`: seconds of each call on a server of Tinker's protocol whose base model is the one in FOLDER, and how
 * much of them this client computes; first the seconds of a round trip without work. Each call is made once before it counts: servers compile new shapes.
 */
import { resolve } from "node:path";
import { createTinkerEngine } from "../src/engine/tinker/index.ts";
import { readModelConfig } from "../src/models/hf-folder.ts";
import type { TinkerBackendName } from "../src/settings/tinker-backend-names.ts";
import { median } from "./measure.ts";

const [url, folder, backend = "skyrl-jax"] = process.argv.slice(2);
if (url === undefined || folder === undefined) throw new Error("npx tsx bench/tinker-calls.ts URL FOLDER [BACKEND]");
const base = resolve(folder);
const repeats = 7;
const { vocabularySize } = readModelConfig(base);
const engine = await createTinkerEngine({ url, model: base, backend: backend as TinkerBackendName, base });
const adapter = { rank: 8, alpha: 32 };
const tokens = (b: number, length: number) => Array.from({ length }, (_, t) => (31 * b + 7 * t) % vocabularySize);

async function measured(what: string, call: () => Promise<unknown>, before: () => Promise<unknown> = async () => {}) {
  await before();
  await call();
  const [walls, cpus]: [number[], number[]] = [[], []];
  for (let i = 0; i < repeats; i++) {
    await before();
    const [begun, used] = [performance.now(), process.cpuUsage()];
    await call();
    walls.push((performance.now() - begun) / 1000);
    const { user, system } = process.cpuUsage(used);
    cpus.push((user + system) / 1e6);
  }
  const [least, most] = [Math.min(...walls), Math.max(...walls)];
  process.stdout.write(
    `${what.padEnd(52)} ${median(walls).toFixed(3)} s (${least.toFixed(3)} to ${most.toFixed(3)}), of them ${median(cpus).toFixed(3)} CPU s here\n`,
  );
}

try {
  await measured("a round trip (healthz)", async () => (await fetch(`${url}/api/v1/healthz`)).text());
  const { id } = await engine.loadModel(base, { adapter });
  const sequences = Array.from({ length: 16 }, (_, b) => ({ tokens: tokens(b, 64), start: 16 }));
  const weights = sequences.map(() => new Array<number>(48).fill(1 / 768));
  const gradient = () => engine.forwardBackward(id, { name: "cross_entropy", sequences, weights });
  const adam = { learningRate: 1e-4, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, maxGradNorm: null };
  const sampling = { maxNewTokens: 48, stopTokens: [], temperature: 1, topK: 0, topP: 1, seed: 1 };
  const prompts = Array.from({ length: 64 }, (_, b) => tokens(b, 16));
  const step = () => engine.optimStep(id, adam);
  const stepped = async () => {
    await gradient();
    await step();
  };
  await measured("forward, 16 x 64 tokens", () => engine.forward(id, { sequences, outputs: ["logprobs"] }));
  await measured("forward_backward and optim_step, 16 x 64 tokens", step, gradient);
  await measured("sample, 64 prompts of 16 + 48 tokens", () => engine.sample(id, { prompts, ...sampling }));
  await measured(
    "save for the sampler and sample, 64 of 16 + 48",
    () => engine.sample(id, { prompts, ...sampling }),
    stepped,
  );
  await measured("save_weights", () => engine.saveModel(id, base), stepped);
} finally {
  await engine.close();
}
