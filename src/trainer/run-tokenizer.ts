/** The one tokenizer of a run: made or read when it starts, kept in its folder, read from there ever after. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import { buildTokenizer, loadTokenizer, type Tokenizer } from "../text/index.ts";
import { UsageError } from "../util/errors.ts";
import { verifyFolder, writeFolder } from "./atomic-folder.ts";

/** The tokenizer that a new run of a configuration has. `texts` are asked for only where a vocabulary is to be made of them. */
export function makeTokenizer(
  { tokenizer: section }: Pick<Config, "tokenizer">,
  texts: () => Iterable<string>,
): Tokenizer {
  const { kind, path, vocabularySize, chatTemplate } = section;
  if (kind !== "file") return buildTokenizer({ kind, vocabularySize, chatTemplate }, kind === "word" ? texts() : []);
  if (path !== undefined) return loadTokenizer(path, { ...(chatTemplate !== undefined && { chatTemplate }) });
  throw new UsageError("tokenizer.kind file needs tokenizer.path", "Give the folder that tokenizer.json lies in.");
}

/** The one in the run's folder, which is made first where there is none. */
export async function openTokenizer(
  config: Pick<Config, "tokenizer">,
  { folder, texts }: { folder: string; texts: () => Iterable<string> },
): Promise<Tokenizer> {
  const kept = tokenizerFolder(folder);
  const { chatTemplate } = config.tokenizer;
  if (!existsSync(kept)) {
    const tokenizer = makeTokenizer(config, texts);
    await writeFolder({ folder: kept, state: {}, write: async (temporary) => tokenizer.save(temporary) });
  } else await verifyFolder(kept, { remedy: "Put back the tokenizer that the run's models were trained with." });
  return loadTokenizer(kept, { ...(chatTemplate !== undefined && { chatTemplate }) });
}

export function tokenizerFolder(runFolder: string): string {
  return join(runFolder, "tokenizer");
}
