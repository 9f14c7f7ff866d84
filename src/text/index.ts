/** Text: tokenizers and chat templates. */
export { type BuildTokenizerSection, buildTokenizer, builtInSpecialTokens } from "./build.ts";
export { loadTokenizer } from "./load.ts";
export { builtInTemplate } from "./template.ts";
export type { Message, Tokenizer } from "./tokenizer.ts";
