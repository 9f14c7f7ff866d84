/** The built-in tokenizers, for models from scratch: word-level, byte-level, and byte-level BPE, each made as a `tokenizer.json`. */
import { DataError, UsageError } from "../util/errors.ts";
import { byteSymbols } from "./bytes.ts";
import type { TokenizerFiles, TokenizerJson } from "./files.ts";
import { openLibrary, wordPattern } from "./library.ts";
import { builtInTemplate } from "./template.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { bpePattern, trainBpe } from "./train-bpe.ts";
import { wrapTokenizer } from "./wrap.ts";

/** Ids 0 to 5. Pad and EOS differ, so that no tool that masks by id can mistake one for the other. */
export const builtInSpecialTokens = ["<pad>", "<eos>", "<unk>", "<system>", "<user>", "<assistant>"] as const;

export interface BuildTokenizerSection {
  readonly kind: "word" | "byte" | "bpe";
  /** Largest vocabulary of `word` and `bpe`, special tokens included; `byte` always has 262 tokens. */
  readonly vocabularySize: number;
  /** Special tokens of `bpe` after the built-in ones. */
  readonly specialTokens?: readonly string[];
  /** Fewest occurrences of a pair that `bpe` merges; 2 by default. */
  readonly minCount?: number;
  readonly chatTemplate?: string | undefined;
  readonly stopTokens?: readonly (string | number)[];
  readonly stopStrings?: readonly string[];
}

/**
 * Makes a tokenizer.
 *
 * `byte` and `bpe` are lossless for any Unicode text. `bpe` merges what is frequent in `texts` (`trainBpe`). `word` is case-sensitive, keeps the most
 * frequent words of `texts` (ties in the order of their code units), and does not preserve how words were spaced.
 * @param texts every text that the model will read or write; `byte` ignores them
 * @throws UsageError if the vocabulary has no room for words; DataError if the texts contain none
 */
export function buildTokenizer(section: BuildTokenizerSection, texts: Iterable<string>): Tokenizer {
  const { kind, vocabularySize } = section;
  const files =
    kind === "byte"
      ? byteFiles()
      : kind === "bpe"
        ? bpeFiles(texts, section)
        : wordFiles(frequentWords(texts, vocabularySize));
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
  const split = wordSplitter();
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of split(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  if (counts.size === 0) throw new DataError("no words to make a vocabulary from", "check the data of the stages");
  return [...counts]
    .sort(([wordA, countA], [wordB, countB]) => countB - countA || (wordA < wordB ? -1 : 1))
    .slice(0, room)
    .map(([word]) => word);
}

/** Cuts a text into the words and marks that `word` has a token each for. */
export function wordSplitter(): (text: string) => readonly string[] {
  const { tokenizer, config } = wordFiles([]);
  const splitter = openLibrary({ tokenizer: { ...tokenizer, added_tokens: [] }, config }, `"word"`);
  return (text) => splitter.words(text);
}

function wordFiles(words: readonly string[]): TokenizerFiles {
  return files({
    pre_tokenizer: wordSplit,
    // Joins words with a space, except before `.` `,` `?` and `!`. No word starts with the prefix, a space.
    decoder: { type: "WordPiece", prefix: " ", cleanup: true },
    model: { type: "WordLevel", vocab: vocabulary(words), unk_token: "<unk>" },
  });
}

const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
const bytePairs = {
  type: "BPE",
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: false,
  byte_fallback: false,
};

function byteFiles(): TokenizerFiles {
  const model = { ...bytePairs, vocab: vocabulary(byteSymbols), merges: [] };
  return files({ pre_tokenizer: byteLevel, decoder: byteLevel, model });
}

function bpeFiles(
  texts: Iterable<string>,
  { vocabularySize, specialTokens = [], minCount = 2 }: BuildTokenizerSection,
): TokenizerFiles {
  const specials = [...builtInSpecialTokens, ...specialTokens];
  checkSpecials(specials);
  const fewest = specials.length + byteSymbols.length;
  if (vocabularySize <= fewest)
    throw new UsageError(
      `a vocabulary of ${vocabularySize} leaves no room for pairs beside ${specials.length} special tokens and 256 bytes`,
      `make it larger than ${fewest}; a few thousand is usual for a small model`,
    );
  const { tokens, merges } = trainBpe(texts, { specials, vocabularySize, minCount });
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const pattern = { type: "Split", pattern: { Regex: bpePattern }, behavior: "Isolated", invert: false };
  const pre_tokenizer = { type: "Sequence", pretokenizers: [pattern, { ...byteLevel, use_regex: false }] };
  return files({ pre_tokenizer, decoder: byteLevel, model: { ...bytePairs, vocab, merges } }, specials);
}

/** A special token of one character could not be kept out of a user's text; two equal ones would have one id. */
function checkSpecials(specials: readonly string[]): void {
  const wrong = specials.find(
    (token, i) => [...token].length < 2 || token.trim() !== token || specials.indexOf(token) < i,
  );
  if (wrong === undefined) return;
  throw new UsageError(
    `"${wrong}" cannot be a special token`,
    `it has two characters or more, no space at its ends, is given once, and is none of ${builtInSpecialTokens.join(" ")}`,
  );
}

function vocabulary(tokens: readonly string[]): Record<string, number> {
  return Object.fromEntries([...builtInSpecialTokens, ...tokens].map((token, id) => [token, id]));
}

function files(
  parts: Pick<TokenizerJson, "model" | "decoder"> & { pre_tokenizer: unknown },
  specials: readonly string[] = builtInSpecialTokens,
): TokenizerFiles {
  return {
    tokenizer: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: specials.map((content, id) => ({
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
      additional_special_tokens: specials.slice(3),
      clean_up_tokenization_spaces: false,
      chat_template: builtInTemplate,
    },
  };
}
