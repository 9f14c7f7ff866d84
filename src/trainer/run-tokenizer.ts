/** The single tokenizer of a run: made or read when it starts, kept in its folder, and read from there afterwards. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { startFolder } from "../config/checks.ts";
import type { Config } from "../settings/config-schema.ts";
import { type AddedStops, buildTokenizer, loadTokenizer, type Tokenizer } from "../text/index.ts";
import { UsageError } from "../util/errors.ts";
import { verifyFolder, writeFolder } from "./atomic-folder.ts";

type Wanted = Pick<Config, "tokenizer"> & Partial<Pick<Config, "model" | "sft" | "reward" | "ppo">>;

/** What a configuration adds to a tokenizer's files. */
export function addedTo({ tokenizer: { chatTemplate }, ppo }: Wanted): AddedStops & { chatTemplate?: string } {
  const stops = ppo && { stopTokens: ppo.stopTokens, stopStrings: ppo.stopStrings };
  return { ...stops, ...(chatTemplate !== undefined && { chatTemplate }) };
}

/** The tokenizer of a new run. `texts` are requested only if a vocabulary must be built from them. */
export function makeTokenizer(config: Wanted, texts: () => Iterable<string>): Tokenizer {
  const { kind, path, vocabularySize } = config.tokenizer;
  const added = addedTo(config);
  if (kind !== "file") return buildTokenizer({ kind, vocabularySize, ...added }, kind === "byte" ? [] : texts());
  const start = config.model && startFolder({ ...config, model: config.model });
  const model = start !== undefined && start !== path && existsSync(start) ? start : undefined;
  if (path !== undefined) return loadTokenizer(path, { model, ...added });
  throw new UsageError("tokenizer.kind file needs tokenizer.path", "Give the folder that tokenizer.json lies in.");
}

/** The tokenizer in the run's folder, which is made first if it does not exist; it has notes only then. */
export async function openTokenizer(
  config: Wanted,
  { folder, texts }: { folder: string; texts: () => Iterable<string> },
): Promise<Tokenizer> {
  const kept = tokenizerFolder(folder);
  let notes: readonly string[] = [];
  if (!existsSync(kept)) {
    const tokenizer = makeTokenizer(config, texts);
    notes = tokenizer.notes;
    await writeFolder({ folder: kept, state: {}, write: async (temporary) => tokenizer.save(temporary) });
  } else await verifyFolder(kept, { remedy: "Restore the tokenizer that the run's models were trained with." });
  return { ...loadTokenizer(kept, { ...addedTo(config), own: true }), notes };
}

export function tokenizerFolder(runFolder: string): string {
  return join(runFolder, "tokenizer");
}
