/** The tokenizer that belongs to a model's folder. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { adapterBase } from "../models/adapter-folder.ts";
import { loadTokenizer, type Tokenizer } from "../text/index.ts";
import { isAdapterFolder } from "../util/weight-files.ts";

/**
 * Loads it from the folder, or from that of its base: an adapter that PEFT saved may have no tokenizer of its own.
 * @param options `chatTemplate`: null reads prompts as texts to continue
 * @throws DataError if the files cannot be used; CheckpointError if an adapter's base is not found
 */
export function loadModelTokenizer(folder: string, options: { readonly chatTemplate?: null } = {}): Tokenizer {
  const own = !isAdapterFolder(folder) || existsSync(join(folder, "tokenizer.json"));
  return loadTokenizer(own ? folder : adapterBase(folder), options);
}
