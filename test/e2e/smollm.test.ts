/** examples/smollm as its README has it, on the tiny size: three stages with adapters, interrupted, killed, resumed, merged, read by transformers. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createEmbeddedEngine } from "../../src/engine/embedded/index.ts";
import { loadTokenizer } from "../../src/text/index.ts";
import { missingPython, runPython } from "../support/python.ts";
import { ballast, type Running, start } from "./ballast.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "ballast-smollm-"));
const base = join(folder, "base");
const missing = missingPython(["torch", "transformers"]);

/** The example with short stages, rates for its small size, and checkpoints at uneven steps. */
const run = (name: string) => [
  ...["run", join(root, "examples/smollm/pipeline.yaml"), `name=${name}`, `model.path=${base}`, "threads=1"],
  ...["sft.steps=30", "sft.learningRate=0.01", "sft.checkpointEvery=7", "reward.steps=30", "reward.checkpointEvery=7"],
  ...["reward.normalisationSamples=8", "ppo.iterations=8", "ppo.checkpointEvery=3", "ppo.maxNewTokens=16"],
  ...["evaluation.samples=8", "control.interventions=off"],
];

beforeAll(async () => {
  const args = ["--import", import.meta.resolve("tsx"), join(root, "examples/smollm/make.ts"), "random", "tiny"];
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, TSX_TSCONFIG_PATH: join(root, "tsconfig.json") },
    stdio: ["ignore", "ignore", "inherit"],
  });
  expect(await once(child, "close")).toEqual([0, null]);
  const written = await ballast(folder, "export", "random", "--format", "model", "--dtype", "bf16", "--out", base);
  expect(written.code, written.stderr).toBe(0);
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true }));

/** Resolves once the run has that checkpoint. */
async function saved(running: Running, checkpoint: string): Promise<void> {
  let over = false;
  void running.ended.then(() => {
    over = true;
  });
  while (!existsSync(join(folder, "runs", checkpoint))) {
    if (over) throw new Error(`ended before ${checkpoint}: ${running.notes()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

let prompts: number[][];
/** Log-probabilities of every token after each prompt, from the merged model. */
let ours: number[][];
const gap = (a: readonly number[][], b: readonly number[][]) =>
  Math.max(...a.flatMap((row, i) => row.map((value, t) => Math.abs(value - b[i]![t]!))));

it("ends in the same bits wherever it was ended, and as a whole model that transformers computes alike", async () => {
  const whole = await ballast(folder, ...run("whole"));
  expect(whole.code, whole.stderr).toBe(0);

  const first = start(folder, ...run("cut"));
  await saved(first, "cut-1/reward/checkpoint-000007");
  first.child.kill("SIGINT");
  expect(await first.ended).toMatchObject({ code: 130, stderr: expect.stringMatching(/resume cut-1/) });
  const second = start(folder, "resume", "cut-1");
  await saved(second, "cut-1/ppo/checkpoint-000003");
  second.child.kill("SIGKILL");
  await second.ended;
  const last = await ballast(folder, "resume", "cut-1");
  expect(last.code, last.stderr).toBe(0);
  const bytes = (name: string, file: string) => readFileSync(join(folder, "runs", name, file));
  for (const file of ["sft/final/model", "reward/final/adapter_model", "ppo/final/adapter_model"])
    expect(bytes("cut-1", `${file}.safetensors`).equals(bytes("whole-1", `${file}.safetensors`)), file).toBe(true);

  const merged = await ballast(folder, "merge", "cut-1", "merged");
  expect(merged.code, merged.stderr).toBe(0);
  const tokenizer = loadTokenizer(join(folder, "merged"));
  prompts = ["what is 2 plus 3?", "please buy a phone."].map((content) =>
    tokenizer.encodePrompt([{ role: "user", content }]),
  );
  const engine = await createEmbeddedEngine({ threads: 1 });
  const logprobsOf = async (model: string) => {
    const { id } = await engine.loadModel(model);
    const every = prompts.map((tokens) => Array.from({ length: 512 }, (_, token) => [...tokens, token]));
    return Promise.all(
      every.map(async (all, i) => {
        const sequences = all.map((tokens) => ({ tokens, start: prompts[i]!.length }));
        return (await engine.forward(id, { sequences, outputs: ["logprobs"] })).logprobs.flat();
      }),
    );
  };
  ours = await logprobsOf(join(folder, "merged"));
  const adapted = await logprobsOf(join(folder, "runs/cut-1/ppo/final"));
  const before = await logprobsOf(join(folder, "runs/cut-1/sft/final"));
  await engine.close();
  expect(gap(adapted, ours)).toBeLessThan(1e-5);
  expect(gap(before, ours)).toBeGreaterThan(1e-3);
}, 300_000);

it.skipIf(missing !== "")(
  `transformers computes the same from the merged folder${missing}`,
  () => {
    const theirs = runPython(transformers, { folder: join(folder, "merged"), prompts }) as number[][];
    expect(gap(theirs, ours)).toBeLessThan(1e-5);
  },
  120_000,
);

const transformers = `
import json, sys
import torch
from transformers import AutoModelForCausalLM
torch.set_num_threads(1)
job = json.load(sys.stdin)
model = AutoModelForCausalLM.from_pretrained(job["folder"]).float().eval()
with torch.no_grad():
    print(json.dumps([torch.log_softmax(model(torch.tensor([p])).logits[0, -1], -1).tolist() for p in job["prompts"]]))
`;
