/** Text: tokenizers and chat templates. */
export { buildTokenizer, wordSplitter } from "./build.ts";
export { loadTokenizer } from "./load-tokenizer.ts";
export { type AddedStops, responseEnd } from "./stops.ts";
export { builtInTemplate } from "./template.ts";
export { barePrompt, type Message, type Tokenizer } from "./tokenizer.ts";
