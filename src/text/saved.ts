/** `tokenizer_config.json` and `generation_config.json` of a saved folder: both must agree with `tokenizer.json`, which is authoritative. */
import type { GenerationJson, SpecialTokenJson, TokenizerConfigJson } from "./files.ts";

/**
 * Settings of the source's own class, or of how it was read. `PreTrainedTokenizerFast` uses `tokenizer.json` as it is, including added tokens; the
 * few of these settings that it knows would change it.
 */
const ofTheSource = [
  "added_tokens_decoder",
  "add_prefix_space",
  "auto_map",
  "from_slow",
  "legacy",
  "merges_file",
  "name_or_path",
  "processor_class",
  "slow_tokenizer_class",
  "sp_model_kwargs",
  "special_tokens_map_file",
  "spm_file",
  "tokenizer_file",
  "use_default_system_prompt",
  "use_fast",
  "vocab_file",
];

const lists = ["additional_special_tokens", "extra_special_tokens"];

export interface SavedConfigOptions {
  /** The tokens with a role, by the role's name: `eos_token`. */
  readonly tokens: Readonly<Record<string, string>>;
  /** The chat template; undefined if there is none. */
  readonly chatTemplate: string | undefined;
  /** Whether decoding removes spaces before punctuation: versions of transformers before 5 obey this for any model. */
  readonly cleanUp: boolean;
  /** Whether the vocabulary has this token: transformers would add a missing one, beyond the model's ids. */
  has(token: string): boolean;
}

/**
 * The source's configuration for `PreTrainedTokenizerFast`. Under the name of a class that builds its own tokenizer around the vocabulary
 * (`LlamaTokenizerFast`, `GPT2Tokenizer`), transformers would read different ids from the same folder.
 */
export function savedConfig(
  config: TokenizerConfigJson,
  { tokens, chatTemplate, cleanUp, has }: SavedConfigOptions,
): TokenizerConfigJson {
  const all = {
    ...config,
    tokenizer_class: "PreTrainedTokenizerFast",
    ...tokens,
    clean_up_tokenization_spaces: cleanUp,
  };
  const kept = Object.entries(all).flatMap(([key, value]): [string, unknown][] => {
    if (ofTheSource.includes(key) || key === "chat_template") return [];
    if (key.endsWith("_token") && isToken(value)) return has(textOf(value)) ? [[key, textOf(value)]] : [];
    if (lists.includes(key) && Array.isArray(value)) return [[key, value.filter(isToken).map(textOf).filter(has)]];
    return [[key, value]];
  });
  return { ...Object.fromEntries(kept), ...(chatTemplate !== undefined && { chat_template: chatTemplate }) };
}

/** The source's `generation_config.json` with the ids and texts at which a response stops, so that every reader stops there. */
export function savedGeneration(
  source: GenerationJson | undefined,
  {
    bosId,
    padId,
    stopIds,
    stopStrings,
  }: {
    readonly bosId: number | undefined;
    readonly padId: number;
    readonly stopIds: readonly number[];
    readonly stopStrings: readonly string[];
  },
): GenerationJson {
  // With this flag transformers would take the settings from config.json instead.
  const { _from_model_config, eos_token_id, stop_strings, ...kept } = source ?? {};
  return {
    ...kept,
    ...(bosId !== undefined && { bos_token_id: bosId }),
    eos_token_id: stopIds.length === 1 ? stopIds[0] : stopIds,
    pad_token_id: padId,
    ...(stopStrings.length > 0 && { stop_strings: stopStrings }),
  };
}

type Token = Exclude<SpecialTokenJson, null | undefined>;

function isToken(value: unknown): value is Token {
  return typeof value === "string" || (typeof value === "object" && value !== null && "content" in value);
}

function textOf(token: Token): string {
  return typeof token === "string" ? token : token.content;
}
