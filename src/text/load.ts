/** A tokenizer from a Hugging Face folder. */
import { basename, dirname } from "node:path";
import { readTokenizerFiles } from "./files.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { wrapTokenizer } from "./wrap.ts";

/**
 * Reads a folder with `tokenizer.json` (or that file's own path), and `tokenizer_config.json` beside it.
 *
 * A file without a chat template gets the built-in one, whose `<user>` and `<assistant>` are then ordinary text.
 * @throws DataError where a file is missing or corrupt, or no EOS token is known
 */
export function loadTokenizer(folder: string, { chatTemplate }: { chatTemplate?: string } = {}): Tokenizer {
  const root = basename(folder) === "tokenizer.json" ? dirname(folder) : folder;
  return wrapTokenizer(readTokenizerFiles(root), `in ${root}`, chatTemplate);
}
