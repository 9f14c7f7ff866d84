/** A run on the PyTorch engine: its first ratio is exactly 1, its KL to the reference 0, its reward rises; killed at any instant, it resumes with the same bits. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTimeout } from "../support/torch.ts";
import { begun, killedAfter, resultOf, torchSettings, type Victim } from "../support/torch-kills.ts";
import { ballast, type Ended, metricsOf, tinyFolder } from "./ballast.ts";

/** Random instants: two here, 50 in `vitest run --mode torch-full`. */
const kills = process.env.MODE === "torch-full" ? 50 : 2;
const folder = tinyFolder();
const runs = join(folder, "runs");
const dtypes = ["fp32", "bf16"] as const;
const whole = {} as Record<(typeof dtypes)[number], Ended>;
const limit = 4 * startTimeout;

beforeAll(async () => {
  for (const dtype of dtypes)
    whole[dtype] = await ballast(folder, "run", "tiny.yaml", ...torchSettings(dtype), `name=whole-${dtype}`);
}, 2 * limit);
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(dtypes)("in %s", (dtype) => {
  it("runs all stages, starts from a ratio of exactly 1 and a KL of exactly 0, and learns", () => {
    expect(whole[dtype].code, whole[dtype].stderr).toBe(0);
    expect(whole[dtype].stderr).toContain("max |ratio - 1| = 0, KL to the reference = 0 nats per token");
    const metrics = metricsOf(runs, `whole-${dtype}-1`);
    const reward = (from: number, to: number) => {
      const values = Array.from({ length: to - from }, (_, i) => metrics.get(`ppo/${from + i}/reward/score_mean`)!);
      return values.reduce((a, b) => a + b) / values.length;
    };
    expect(reward(9, 12)).toBeGreaterThan(reward(0, 3));
    for (let iteration = 0; iteration < 12; iteration++)
      expect(metrics.get(`ppo/${iteration}/ratio/first_max_deviation`), `iteration ${iteration}`).toBe(0);
  });
});

/** The tiny pipeline with adapters on the language model of a run without, and a slow critic that averages them. */
function adapterConfig(): string {
  const tiny = readFileSync(join(folder, "tiny.yaml"), "utf8");
  const [model, lora] = ["model: {path: runs/whole-fp32-1/sft/final}", "lora: {rank: 2, alpha: 4}"];
  return tiny
    .replace(/^model: .*/m, `${model}\n${lora}`)
    .replace(/^tokenizer: .*\n/m, "")
    .replace(/^ppo:/m, "ppo:\n  slowCritic: {decay: 0.9}");
}

it("with adapters: starts from a ratio of exactly 1 and a KL of exactly 0, and after a kill ends in the same bits", {
  timeout: 2 * limit,
}, async () => {
  writeFileSync(join(folder, "lora.yaml"), adapterConfig());
  const run = (name: string) => ["run", "lora.yaml", ...torchSettings("fp32"), `name=${name}`];
  const unbroken = await ballast(folder, ...run("lora"));
  expect(unbroken.code, unbroken.stderr).toBe(0);
  expect(unbroken.stderr).toContain("max |ratio - 1| = 0, KL to the reference = 0 nats per token");
  const metrics = metricsOf(runs, "lora-1");
  for (let iteration = 0; iteration < 12; iteration++)
    expect(metrics.get(`ppo/${iteration}/ratio/first_max_deviation`), `iteration ${iteration}`).toBe(0);
  expect(existsSync(join(runs, "lora-1", "ppo", "final", "adapter_model.safetensors"))).toBe(true);
  // Late in the run: in PPO, after a checkpoint.
  const seconds = unbroken.seconds * (0.6 + 0.2 * Math.random());
  const first = await killedAfter(folder, { seconds, victim: "program", args: run("killed") });
  const last = first.code === 0 ? first : await ballast(folder, "resume", "killed-1");
  expect(last.code, last.stderr).toBe(0);
  expect(resultOf(runs, "killed-1")).toEqual(resultOf(runs, "lora-1"));
});

describe("kill -9, then resume", () => {
  it.each(Array.from({ length: kills }, (_, i) => i))(
    "kill %i",
    async (i) => {
      const dtype = dtypes[i % 2]!;
      const victim: Victim = i % 4 < 2 ? "worker" : "program";
      const name = `kill${i}`;
      const instants = [whole[dtype].seconds * ((i + Math.random()) / kills)];
      let last: Ended | undefined;
      for (const seconds of [...instants, limit]) {
        const id = begun(runs, name);
        const args = id ? ["resume", id] : ["run", "tiny.yaml", ...torchSettings(dtype), `name=${name}`];
        last = await killedAfter(folder, { seconds, victim, args });
        if (last.code === 0) break;
        if (victim === "program") expect(last.signal, last.stderr).toBe("SIGKILL");
        else expect(last.stderr).toMatch(/PyTorch worker was killed, probably because the machine ran out of memory/);
      }
      const where = `the ${victim} in ${dtype}, killed after ${instants.map((s) => `${s.toFixed(2)} s`).join()}\n${last?.stderr}`;
      expect(last?.code, where).toBe(0);
      const [found, wanted] = [resultOf(runs, begun(runs, name)!), resultOf(runs, `whole-${dtype}-1`)];
      expect(
        found.stages.map((bytes, s) => bytes === wanted.stages[s]),
        where,
      ).toEqual([true, true, true]);
      expect(found.metrics, where).toEqual(wanted.metrics);
    },
    2 * limit,
  );
});
