/** Loads a tokenizer from a Hugging Face folder. */
import { basename, dirname } from "node:path";
import { readGenerationFiles, readTokenizerFiles } from "./files.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { type WrapOptions, wrapTokenizer } from "./wrap.ts";

export interface LoadTokenizerOptions extends Omit<WrapOptions, "imported"> {
  /** Whether Ballast wrote the folder, so that nothing in it is looked at again. */
  readonly own?: boolean;
  /** Folder of the model that the tokenizer is for, if it is a different folder: it says where responses stop. */
  readonly model?: string | undefined;
}

/**
 * Reads a folder with `tokenizer.json` (or that file's own path), and `tokenizer_config.json` beside it.
 *
 * Without a chat template (neither in the files nor in `chatTemplate`, or with `chatTemplate: null`) a prompt that is a text is read as it is, and a
 * conversation is refused.
 * @throws DataError if a file is missing or corrupt, or no EOS token is known
 */
export function loadTokenizer(
  folder: string,
  { model, own = false, ...options }: LoadTokenizerOptions = {},
): Tokenizer {
  const root = basename(folder) === "tokenizer.json" ? dirname(folder) : folder;
  const ofModel = model === undefined ? {} : readGenerationFiles(model);
  return wrapTokenizer({ ...readTokenizerFiles(root), ...ofModel }, `in ${root}`, { ...options, imported: !own });
}
