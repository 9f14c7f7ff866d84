import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../../../../test/support/store.ts";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { sealRun } from "../../../config/run-manifest.ts";
import { writeFolder } from "../../../trainer/atomic-folder.ts";
import { generate } from "./index.ts";

it("a model whose file is not the one that was written is refused, of a run or by its folder", async () => {
  const workspace = temporaryFolder();
  const run = join(workspace, "tiny-1");
  const folder = join(run, "sft", "final");
  mkdirSync(run, { recursive: true });
  writeFileSync(join(run, "config.json"), "{}");
  const write = async (to: string) => writeFileSync(join(to, "model.safetensors"), "weights");
  await writeFolder({ folder, state: {}, write });
  writeFileSync(join(folder, "model.safetensors"), "Weights");
  const sampling = { temperature: 1, topK: 0, topP: 1, maxTokens: 4, samples: 1, seed: 1, threads: 1 };
  for (const model of ["tiny-1", folder])
    await expect(generate({ ...sampling, model, prompts: ["a"], workspace, terminal: keptTerminal() })).rejects.toThrow(
      /final is damaged: model\.safetensors has other contents than were written/,
    );
});

it("refuses a system message before a raw text", async () => {
  const sampling = { temperature: 1, topK: 0, topP: 1, maxTokens: 8, samples: 1, seed: 0, threads: 1 };
  const options = { ...sampling, raw: true, system: "Be brief.", workspace: "none", terminal: keptTerminal() };
  await expect(generate({ model: "tiny-1", prompts: ["a"], ...options })).rejects.toThrow("--raw takes no --system");
});

it("the result of a different run in a run's folder is refused", async () => {
  const workspace = temporaryFolder();
  const run = join(workspace, "tiny-1");
  const folder = join(run, "ppo", "final");
  mkdirSync(run, { recursive: true });
  writeFileSync(join(run, "config.json"), "{}");
  await sealRun(run, { begins: true });
  const origin = { run: "tiny-2", config: null, tokenizer: null };
  const write = async (to: string) => writeFileSync(join(to, "model.safetensors"), "weights");
  await writeFolder({ folder, state: { stage: "ppo", steps: 1, values: {}, origin }, write });
  const sampling = { temperature: 1, topK: 0, topP: 1, maxTokens: 4, samples: 1, seed: 1, threads: 1 };
  await expect(
    generate({ ...sampling, model: "tiny-1", prompts: ["a"], workspace, terminal: keptTerminal() }),
  ).rejects.toThrow("it belongs to the run tiny-2, not to tiny-1");
});
