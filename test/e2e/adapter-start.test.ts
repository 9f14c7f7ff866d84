/** Adapters' folders as starts, one command after the other: every stage and reward takes the folder that an earlier command has made. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { tinyModel } from "../support/tiny-model.ts";
import { ballast, tinyFolder } from "./ballast.ts";

const folder = tinyFolder();
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(async () => {
  await tinyModel(join(folder, "base"), { context: 24 });
  const common = "threads: 1\nobjective: Any.\nmodel: {path: base}\nlora: {rank: 2}\n";
  const steps = "steps: 2, batchSize: 4, learningRate: 1.0e-3";
  const sections = {
    sft: `sft: {data: {path: sft.jsonl}, ${steps}}`,
    reward: `reward: {data: {path: pairs.jsonl}, ${steps}, normalisationSamples: 4}`,
    ppo: `ppo: {prompts: {path: prompts.jsonl}, iterations: 1, sequences: 4, maxNewTokens: 4, learningRate: 1.0e-3, rewards: [{kind: length, max: 3}]}
evaluation: {samples: 4}
control: {monitor: {every: 0}, noise: {every: 0}}`,
  };
  for (const [stage, section] of Object.entries(sections))
    writeFileSync(join(folder, `${stage}.yaml`), `${common}${section}\n`);
});

const [reward, policy] = ["runs/reward-1/reward/final", "runs/ppo-1/ppo/final"];
/** Runs one stage; what an earlier command has made is its start. */
async function stage(command: "sft" | "reward" | "ppo", name: string, ...overrides: string[]) {
  const { code, stderr } = await ballast(folder, command, `${command}.yaml`, `name=${name}`, ...overrides);
  expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
  return join(folder, "runs", `${name}-1`, command, "final");
}
const adapterIn = (path: string) => JSON.parse(readFileSync(join(path, "adapter_config.json"), "utf8"));

it("every stage starts from an adapter's folder, and a reward is read from one", { timeout: 300_000 }, async () => {
  await stage("reward", "reward");
  await stage("ppo", "ppo", "lora.rank=3", `ppo.rewards=[{kind: model, path: ${reward}}]`);
  expect([reward, policy].map((path) => adapterIn(join(folder, path)).r)).toEqual([2, 3]);
  // On with the adapter, its own rank and its base.
  const further = await stage(
    "ppo",
    "further",
    ...[`ppo.policy=${policy}`, `ppo.rewards=[{kind: model, path: ${reward}}]`],
  );
  expect(adapterIn(further)).toMatchObject({ r: 3, base_model_name_or_path: join(folder, "base") });
  expect(adapterIn(await stage("reward", "again", `reward.from=${policy}`))).toMatchObject({ r: 3 });
  const merged = await stage("sft", "sft", `model.path=${policy}`);
  expect(existsSync(join(merged, "model.safetensors"))).toBe(true);
  // Without lora the adapter is merged, and all weights are trained.
  const whole = await stage("ppo", "whole", "lora=null", `ppo.policy=${policy}`);
  expect(existsSync(join(whole, "model.safetensors"))).toBe(true);
  const { code, stdout } = await ballast(folder, "plan", "ppo.yaml", `model.path=${policy}`, "--no-time");
  expect([code, stdout]).toEqual([0, expect.stringContaining("frozen weights, shared by all adapters")]);
});
