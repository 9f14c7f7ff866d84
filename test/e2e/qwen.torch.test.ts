/** examples/qwen as its README has it, on the small model and PyTorch in bf16: all stages with adapters against a verifier, interrupted and resumed, and stopped at a fault. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { startTimeout } from "../support/torch.ts";
import { resultOf, torchSettings } from "../support/torch-kills.ts";
import { ballast, metricsOf, seen, start } from "./ballast.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "ballast-qwen-"));
const runs = join(folder, "runs");
afterAll(() => rmSync(folder, { recursive: true }));

/** The example with short stages, and a checkpoint in PPO's middle. */
const run = (name: string) => [
  ...["run", join(root, "examples/qwen/qwen.yaml"), `name=${name}`, `model.path=${join(folder, "base")}`],
  ...[`workspace=${runs}`, ...torchSettings("bf16"), "sft.steps=12", "sft.learningRate=0.01", "sft.evaluateEvery=12"],
  ...["reward.steps=4", "reward.evaluateEvery=4", "reward.normalisationSamples=8", "evaluation.samples=8"],
  ...["ppo.iterations=4", "ppo.sequences=8", "ppo.maxNewTokens=24", "ppo.checkpointEvery=2", "ppo.learningRate=1e-3"],
];

it("ends in the same bits if it was interrupted and resumed; a fault stops it", {
  timeout: 4 * startTimeout,
}, async () => {
  const args = ["--import", import.meta.resolve("tsx"), join(root, "examples/qwen/make.ts"), join(folder, "base")];
  const env = { ...process.env, TSX_TSCONFIG_PATH: join(root, "tsconfig.json") };
  expect(execFileSync(process.execPath, args, { encoding: "utf8", env })).toMatch(/^\d+,\d+ random parameters in /);

  const whole = await ballast(folder, ...run("whole"));
  expect(whole.code, whole.stderr).toBe(0);
  expect(whole.stderr).toContain("max |ratio - 1| = 0, KL to the reference = 0 nats per token");
  const metrics = metricsOf(runs, "whole-1");
  expect(metrics.get("sft/11/sft/loss")).toBeLessThan(metrics.get("sft/0/sft/loss")!);

  const cut = start(folder, ...run("cut"));
  await seen(cut, /startup checks passed/);
  cut.child.kill("SIGINT");
  expect(await cut.ended).toMatchObject({ code: 130, stderr: expect.stringMatching(/interrupted in ppo.*resume/s) });
  const resumed = await ballast(folder, "resume", "cut-1", "--workspace", runs);
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(resultOf(runs, "cut-1")).toEqual(resultOf(runs, "whole-1"));

  const longer = ["resume", "cut-1", "ppo.iterations=6", "--workspace", runs, "--inject", "lr-spike@4"];
  const stopped = await ballast(folder, ...longer);
  expect(stopped.stderr).toMatch(/injected: lr-spike[\s\S]*tier 1 {2}it [45] .* saved, paused: incident 1/);
  expect(stopped.code, stopped.stderr).toBe(3);
});
