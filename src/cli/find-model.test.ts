/** The model that a user names: a download that is not complete is told from a run that has not finished. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../test/support/gpt2.ts";
import { findModel } from "./find-model.ts";

/** A folder with the configuration of a model, and these files. */
function download(...files: string[]): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "config.json"), JSON.stringify({ model_type: "llama" }));
  for (const file of files) writeFileSync(join(folder, file), "");
  return folder;
}

test.each([
  [["model-00001-of-00002.safetensors"], "has 1 of the 2 shards of a model"],
  [["model.fp16.safetensors"], "has no model.safetensors, but model.fp16.safetensors"],
  [["consolidated.safetensors", "params.json"], "has no model.safetensors, but consolidated.safetensors"],
  [["tokenizer.json"], "holds no weights"],
])("a model with %j", async (files, message) => {
  await expect(findModel(download(...files), temporaryFolder())).rejects.toThrow(message);
});

test("a run that has not finished", async () => {
  const workspace = temporaryFolder();
  mkdirSync(join(workspace, "r-1"));
  writeFileSync(join(workspace, "r-1", "config.json"), JSON.stringify({ objective: "any", model: { layers: 1 } }));
  await expect(findModel("r-1", workspace)).rejects.toThrow("run r-1 has not finished a stage");
});
