/** Text: tokenizers and chat templates. */
export { type BuildTokenizerSection, buildTokenizer, builtInSpecialTokens } from "./build.ts";
export { loadTokenizer } from "./load-tokenizer.ts";
export { type AddedStops, type ResponseEnd, responseEnd } from "./stops.ts";
export { builtInTemplate } from "./template.ts";
export { barePrompt, type Message, type Tokenizer } from "./tokenizer.ts";
