/** A run over two processes of the PyTorch engine: starts exactly; one of them killed, the run stops, saved, and goes on with the same bits, or in one process, which it says. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { startTimeout } from "../support/torch.ts";
import { begun, resultOf, torchSettings, workersOf } from "../support/torch-kills.ts";
import { ballast, metricsOf, start, tinyFolder } from "./ballast.ts";

const folder = tinyFolder();
const runs = join(folder, "runs");
afterAll(() => rmSync(folder, { recursive: true }));

it("starts exactly, and goes on if a killed process stopped it", { timeout: 6 * startTimeout }, async () => {
  const short = ["sft.steps=14", "reward.steps=12", "reward.normalisationSamples=8", "evaluation.samples=8"];
  const online = ["ppo.iterations=4", "ppo.checkpointEvery=1"];
  const settings = [...torchSettings("bf16"), "engine.processes=2", "threads=2", ...short, ...online];
  const run = (name: string) => ["run", "tiny.yaml", ...settings, `name=${name}`];
  const whole = await ballast(folder, ...run("whole"));
  expect(whole.code, whole.stderr).toBe(0);
  expect(whole.stderr).toContain("max |ratio - 1| = 0, KL to the reference = 0 nats per token");
  const metrics = metricsOf(runs, "whole-1");
  for (let iteration = 0; iteration < 4; iteration++)
    expect(metrics.get(`ppo/${iteration}/ratio/first_max_deviation`), `iteration ${iteration}`).toBe(0);
  const ended = start(folder, ...run("killed"));
  const program = ended.child.pid!;
  // As soon as PPO has begun.
  while (!existsSync(join(runs, "killed-1", "ppo"))) await new Promise((resolve) => setTimeout(resolve, 50));
  process.kill(workersOf(program)[1]!, "SIGKILL");
  const killed = await ended.ended;
  expect(killed.stderr).toMatch(/process 1 of the PyTorch worker's 2 was killed/);
  const id = begun(runs, "killed")!;
  const last = await ballast(folder, "resume", id);
  expect(last.code, last.stderr).toBe(0);
  expect(resultOf(runs, id)).toEqual(resultOf(runs, "whole-1"));
  const alone = await ballast(folder, "resume", id, "engine.processes=1", "ppo.iterations=5");
  expect(alone.code, alone.stderr).toBe(0);
  expect(alone.stderr).toContain("the run began with processes 2, this is 1; the last bits may differ");
});
