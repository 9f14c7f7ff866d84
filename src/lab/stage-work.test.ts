/** A stage that runs share is the stage that each of them would train by itself. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/store.ts";
import { configSchema } from "../config/index.ts";
import { newRun } from "../run/new-run.ts";
import { openRun } from "../run/open-run.ts";
import { runPipeline } from "../run/pipeline.ts";
import type { CellOf } from "./cells.ts";
import { trainStage } from "./stage-work.ts";
import { startOf } from "./start-cells.ts";

it("SFT with a vocabulary of words that only the prompts have", async () => {
  const workspace = temporaryFolder();
  const rows = (name: string, list: object[]) => {
    const path = join(workspace, name);
    writeFileSync(path, list.map((row) => `${JSON.stringify(row)}\n`).join(""));
    return { path };
  };
  const words = ["red", "green", "blue", "grey"];
  const config = configSchema.parse({
    ...{ workspace, seed: 3, threads: 1 },
    model: { layers: 1, width: 16, heads: 2, context: 24 },
    tokenizer: { kind: "word" },
    sft: {
      data: rows(
        "sft.jsonl",
        words.map((word) => ({ prompt: `say ${word}`, completion: word })),
      ),
      ...{ steps: 2, batchSize: 4, evaluationShare: 0, checkpointEvery: 0 },
    },
    ppo: {
      prompts: rows(
        "prompts.jsonl",
        words.map((word) => ({ prompt: `whisper ${word}` })),
      ),
      rewards: [{ kind: "length", max: 3 }],
      ...{ iterations: 1, sequences: 4, minibatches: 1, epochs: 1, maxNewTokens: 4, checkpointEvery: 0 },
    },
    evaluation: { samples: 4 },
  });
  const facts = newRun({ config, name: "whole" });
  await openRun(facts).train(runPipeline);
  const stages = new Map<string, CellOf<"stage">>();
  const { policy } = startOf(config, stages);
  const quiet = { onProgress: () => {}, onNote: () => {}, interrupted: () => false };
  const { model } = await trainStage(stages.get(policy!)!.input, {
    ...{ folder: join(workspace, "lab"), name: policy!, results: {}, ...quiet },
  });
  for (const file of ["model.safetensors", "tokenizer.json"])
    expect(readFileSync(join(model, file))).toEqual(readFileSync(join(facts.place.folder, "sft", "final", file)));
  expect(readFileSync(join(model, "tokenizer.json"), "utf8")).toContain("whisper");
});
