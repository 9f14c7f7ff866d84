/** The one tokenizer of a run: made or read when it starts, kept in its folder, read from there ever after. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import { buildTokenizer, loadTokenizer, type Tokenizer } from "../text/index.ts";
import { UsageError } from "../util/errors.ts";
import { verifyFolder, writeFolder } from "./folder.ts";

/** `texts` are asked for only where a vocabulary is to be made of them. */
export async function openTokenizer(
  { tokenizer: section }: Pick<Config, "tokenizer">,
  { folder, texts }: { folder: string; texts: () => Iterable<string> },
): Promise<Tokenizer> {
  const kept = tokenizerFolder(folder);
  const { chatTemplate } = section;
  if (!existsSync(kept)) {
    const { kind, path, vocabularySize } = section;
    let tokenizer: Tokenizer;
    if (kind !== "file")
      tokenizer = buildTokenizer({ kind, vocabularySize, chatTemplate }, kind === "word" ? texts() : []);
    else if (path !== undefined)
      tokenizer = loadTokenizer(path, { ...(chatTemplate !== undefined && { chatTemplate }) });
    else
      throw new UsageError("tokenizer.kind file needs tokenizer.path", "Give the folder that tokenizer.json lies in.");
    await writeFolder({ folder: kept, state: {}, write: async (temporary) => tokenizer.save(temporary) });
  } else await verifyFolder(kept);
  return loadTokenizer(kept, { ...(chatTemplate !== undefined && { chatTemplate }) });
}

export function tokenizerFolder(runFolder: string): string {
  return join(runFolder, "tokenizer");
}
