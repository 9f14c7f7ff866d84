import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { BigramEngine } from "../../test/support/bigram-engine.ts";
import { sizes, temporaryFolder, tokenizer } from "../../test/support/stage.ts";
import { loadTokenizer, type Tokenizer } from "../text/index.ts";
import { saveModelFolder } from "./model-folder.ts";

const read = (folder: string, file: string) => JSON.parse(readFileSync(join(folder, file), "utf8")) as unknown;

async function saved(its: Tokenizer): Promise<{ config: unknown; generation: unknown; folder: string }> {
  const engine = new BigramEngine();
  const folder = temporaryFolder();
  const { id } = await engine.createModel({ config: sizes, heads: ["lm"], seed: 1 });
  await saveModelFolder({ engine, tokenizer: its, model: id, folder });
  return { config: read(folder, "config.json"), generation: read(folder, "generation_config.json"), folder };
}

it("names the ids of the special tokens where Hugging Face looks for them", async () => {
  const { eosId, padId } = tokenizer;
  const { config, generation, folder } = await saved(tokenizer);
  expect(config).toMatchObject({ config: sizes, bos_token_id: null, eos_token_id: eosId, pad_token_id: padId });
  expect(generation).toEqual({ eos_token_id: eosId, pad_token_id: padId });
  // Written over what the engine wrote: the model still loads.
  expect((await new BigramEngine().loadModel(folder)).config).toEqual(sizes);
});

it("has no padding where EOS stands in for it, and a BOS where there is one", async () => {
  const folder = temporaryFolder();
  tokenizer.save(folder);
  const path = join(folder, "tokenizer_config.json");
  const { pad_token, ...rest } = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  writeFileSync(path, JSON.stringify({ ...rest, bos_token: "<user>" }));
  const other = loadTokenizer(folder);
  const { config, generation } = await saved(other);
  expect(config).toMatchObject({ bos_token_id: other.bosId, eos_token_id: other.eosId, pad_token_id: null });
  expect(generation).toEqual({ bos_token_id: other.bosId, eos_token_id: other.eosId, pad_token_id: other.eosId });
  expect(other.bosId).toBe(tokenizer.encodePrompt([{ role: "user", content: "a" }])[0]);
});
