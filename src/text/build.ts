/** The built-in tokenizers, for models from scratch: word-level and byte-level, each made as a `tokenizer.json`. */
import { DataError, UsageError } from "../util/errors.ts";
import { byteSymbols } from "./bytes.ts";
import type { TokenizerFiles, TokenizerJson } from "./files.ts";
import { openLibrary, wordPattern } from "./library.ts";
import { builtInTemplate } from "./template.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { wrapTokenizer } from "./wrap.ts";

/** Ids 0 to 5. Pad and EOS differ, so that no tool that masks by id can mistake one for the other. */
export const builtInSpecialTokens = ["<pad>", "<eos>", "<unk>", "<system>", "<user>", "<assistant>"] as const;

export interface BuildTokenizerSection {
  readonly kind: "word" | "byte";
  /** Largest vocabulary of `word`, special tokens included; `byte` always has 262 tokens. */
  readonly vocabularySize: number;
  readonly chatTemplate?: string | undefined;
  readonly stopTokens?: readonly (string | number)[];
  readonly stopStrings?: readonly string[];
}

/**
 * Makes a tokenizer.
 *
 * `byte` is lossless for any Unicode text. `word` is case-sensitive, keeps the most frequent words of `texts` (ties in the order of their code
 * units), and does not preserve how words were spaced.
 * @param texts every text that the model will read or write; `byte` ignores them
 * @throws UsageError if the vocabulary has no room for words; DataError if the texts contain none
 */
export function buildTokenizer(section: BuildTokenizerSection, texts: Iterable<string>): Tokenizer {
  const files = section.kind === "byte" ? byteFiles() : wordFiles(frequentWords(texts, section.vocabularySize));
  return wrapTokenizer(files, `"${section.kind}"`, section);
}

/** Decimals, words with their apostrophes, and runs of punctuation. Special tokens contain letters, so no run is one. */
const wordSplit = {
  type: "Split",
  pattern: { Regex: wordPattern },
  behavior: "Removed",
  invert: true,
};

function frequentWords(texts: Iterable<string>, vocabularySize: number): string[] {
  const room = vocabularySize - builtInSpecialTokens.length;
  if (room < 1) {
    throw new UsageError(
      `tokenizer.vocabularySize ${vocabularySize} leaves no room for words beside ${builtInSpecialTokens.length} special tokens`,
      "a few hundred is small, 8192 is the default",
    );
  }
  const { tokenizer, config } = wordFiles([]);
  const splitter = openLibrary({ tokenizer: { ...tokenizer, added_tokens: [] }, config }, `"word"`);
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of splitter.words(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  if (counts.size === 0) throw new DataError("no words to make a vocabulary from", "check the data of the stages");
  return [...counts]
    .sort(([wordA, countA], [wordB, countB]) => countB - countA || (wordA < wordB ? -1 : 1))
    .slice(0, room)
    .map(([word]) => word);
}

function wordFiles(words: readonly string[]): TokenizerFiles {
  return files({
    pre_tokenizer: wordSplit,
    // Joins words with a space, except before `.` `,` `?` and `!`. No word starts with the prefix, a space.
    decoder: { type: "WordPiece", prefix: " ", cleanup: true },
    model: { type: "WordLevel", vocab: vocabulary(words), unk_token: "<unk>" },
  });
}

function byteFiles(): TokenizerFiles {
  return files({
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: vocabulary(byteSymbols),
      merges: [],
    },
  });
}

function vocabulary(tokens: readonly string[]): Record<string, number> {
  return Object.fromEntries([...builtInSpecialTokens, ...tokens].map((token, id) => [token, id]));
}

function files(parts: Pick<TokenizerJson, "model" | "decoder"> & { pre_tokenizer: unknown }): TokenizerFiles {
  return {
    tokenizer: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: builtInSpecialTokens.map((content, id) => ({
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      })),
      normalizer: null,
      post_processor: null,
      ...parts,
    },
    config: {
      tokenizer_class: "PreTrainedTokenizerFast",
      eos_token: "<eos>",
      pad_token: "<pad>",
      unk_token: "<unk>",
      additional_special_tokens: ["<system>", "<user>", "<assistant>"],
      clean_up_tokenization_spaces: false,
      chat_template: builtInTemplate,
    },
  };
}
