/** A tokenizer from a Hugging Face folder. */
import { basename, dirname } from "node:path";
import { readTokenizerFiles } from "./files.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { wrapTokenizer } from "./wrap.ts";

/**
 * Reads a folder with `tokenizer.json` (or that file's own path), and `tokenizer_config.json` beside it.
 *
 * Without a chat template (neither the files' nor `chatTemplate`; null takes none) a prompt that is a text is read as it
 * stands, and a conversation is refused.
 * @throws DataError where a file is missing or corrupt, or no EOS token is known
 */
export function loadTokenizer(folder: string, { chatTemplate }: { chatTemplate?: string | null } = {}): Tokenizer {
  const root = basename(folder) === "tokenizer.json" ? dirname(folder) : folder;
  return wrapTokenizer(readTokenizerFiles(root), `in ${root}`, chatTemplate);
}
