/** The ecosystem's tokenizer library behind a narrow interface that never turns user text into a special token. */
import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { DataError, messageOf } from "../util/errors.ts";
import { withTimeLimit } from "../util/time-limit.ts";
import { type ByteDecoder, createByteDecoder } from "./byte-decoder.ts";
import type { TokenizerFiles } from "./files.ts";
import { type Repairable, repairLibrary } from "./library-repairs.ts";
import { createSpecialTokenMarker, type SpecialTokenMarker } from "./special.ts";
import { bpePattern } from "./train-bpe.ts";

/** An opened tokenizer. Ids and texts of tokens are those of its files. */
export interface Library {
  /** Largest id + 1. */
  readonly vocabularySize: number;
  /** Ids below `vocabularySize` without a token, ascending. */
  readonly missingIds: readonly number[];
  /** The special tokens by id. */
  readonly specials: ReadonlyMap<number, string>;
  readonly marker: SpecialTokenMarker;
  idOf(token: string): number | undefined;
  tokenOf(id: number): string | undefined;
  /**
   * Ids of a text. Special tokens in it are parsed as such, except those containing `mark` (`SpecialTokenMarker`), which is removed from the encoded
   * text. Without a mark nothing is removed.
   */
  encode(text: string, mark?: string): number[];
  /** Whether the file's post-processor puts this token before a text. */
  beginsWith(id: number): boolean;
  /** The text of ids; those without a token have none, and special tokens only with `special`. */
  decode(ids: readonly number[], options: { readonly cleanUp: boolean; readonly special: boolean }): string;
  /** The words that the file's pre-tokenizer splits a text into, unknown ones too; for a word-level tokenizer. */
  words(text: string): string[];
}

/** The pattern of Ballast's own word tokenizer, which runs in linear time. */
export const wordPattern = "\\d+(?:[.,]\\d+)+|\\w+(?:['’]\\w+)*|[^\\w\\s]+";

/** Milliseconds: far above any honest text (Llama 3.1's pattern reads 4 MB in a second), far below a user's patience. */
const defaultTimeLimit = 30_000;

/**
 * Opens a tokenizer's files.
 * @param source names the tokenizer in errors
 * @param timeLimit most milliseconds for a text, if a regular expression in the file could run forever
 * @throws DataError if the library refuses the files; from `encode` and `decode` after `timeLimit`
 */
export function openLibrary(
  { tokenizer, config }: TokenizerFiles,
  source: string,
  { timeLimit = defaultTimeLimit }: { readonly timeLimit?: number } = {},
): Library {
  let library: Internals;
  try {
    library = new LibraryTokenizer(tokenizer, config) as unknown as Internals;
  } catch (error) {
    throw new DataError(`the tokenizer ${source} cannot be used: ${messageOf(error)}`, "check its tokenizer.json", {
      cause: error,
    });
  }
  repairLibrary(library, tokenizer);
  let vocabularySize = 0;
  const ids = new Set(library.get_vocab().values());
  for (const id of ids) vocabularySize = Math.max(vocabularySize, id + 1);
  if (vocabularySize - ids.size > mostMissing)
    throw new DataError(
      `the tokenizer ${source} has ${ids.size} tokens with ids up to ${vocabularySize - 1}`,
      `a model has a row for every id: number the tokens so that at most ${mostMissing} are missing`,
    );
  const missingIds = Array.from({ length: vocabularySize }, (_, id) => id).filter((id) => !ids.has(id));
  const specials = new Map<number, string>();
  for (const { id, content, special } of library.get_added_tokens_decoder().values()) {
    if (special) specials.set(id, content);
  }
  const marker = createSpecialTokenMarker([...specials.values()]);
  const marks = { current: "" };
  leaveOutMarks(library, marks);
  keepSpecialsOutOfWords(library, specials, marker);

  const limited = <Result>(call: () => Result): Result =>
    withTimeLimit(call, {
      milliseconds: timeLimit,
      tooLong: () =>
        new DataError(
          `the tokenizer ${source} worked on one text for more than ${timeLimit / 1000} s`,
          "a regular expression in its tokenizer.json never ends on that text; correct it, or leave the row out",
        ),
    });
  const { normalizer, pre_tokenizer, decoder } = tokenizer;
  const encodeLimited = hasForeignPattern([normalizer, pre_tokenizer]) ? limited : (call: () => number[]) => call();
  const decodeLimited = hasForeignPattern(decoder) ? limited : (call: () => string) => call();
  const tokenOf = (id: number) => library.id_to_token(id);
  const byLibrary = (ids: readonly number[], { cleanUp, special }: { cleanUp: boolean; special: boolean }) => {
    const kept = ids.filter((id) => tokenOf(id) !== undefined && (special || !specials.has(id)));
    const options = { skip_special_tokens: false, clean_up_tokenization_spaces: cleanUp };
    return kept.length === 0 ? "" : decodeLimited(() => library.decode(kept, options));
  };
  let byBytes: ByteDecoder | undefined;
  const isByteLevel =
    (decoder as { readonly type?: unknown } | null)?.type === "ByteLevel" && !library.decoder?.end_of_word_suffix;
  return {
    vocabularySize,
    missingIds,
    specials,
    marker,
    idOf: (token) => library.token_to_id(token),
    tokenOf,
    encode: (text, mark = "") =>
      encodeLimited(() => {
        marks.current = mark;
        return library.encode(text, { add_special_tokens: false }).ids;
      }),
    beginsWith: (id) => library.encode("", { add_special_tokens: true }).ids[0] === id,
    decode(ids, { cleanUp, special }) {
      if (!isByteLevel || cleanUp) return byLibrary(ids, { cleanUp, special });
      const added = () => new Set(Array.from(library.get_added_tokens_decoder().values(), ({ content }) => content));
      byBytes ??= createByteDecoder({ vocabularySize, tokenOf, added: added(), specials });
      return byBytes(ids, { special });
    },
    words: (text) => library.tokenize(text),
  };
}

/**
 * Makes marks visible while the library looks for special tokens, and removes them before it splits words: the text is encoded whole, as
 * `split_special_tokens` encodes it in transformers. If the text were cut at the marks instead, a tokenizer that puts a space before a text would put
 * one before each piece.
 */
function leaveOutMarks(library: Internals, marks: { readonly current: string }): void {
  const { pre_tokenizer } = library;
  library.pre_tokenizer = (text, options) => {
    const plain = marks.current === "" ? text : text.replaceAll(marks.current, "");
    return pre_tokenizer === null ? [plain] : pre_tokenizer(plain, options);
  };
}

/** A vocabulary may also contain a special token's text as a word: such a word is encoded in two parts. */
function keepSpecialsOutOfWords(
  { model }: Internals,
  specials: ReadonlyMap<number, string>,
  marker: SpecialTokenMarker,
): void {
  const forbidden = new Set([...specials.values()].filter((token) => token !== model.unk_token && marker.cuts(token)));
  const encode = model.encode.bind(model);
  const isForbidden = (token: string) => forbidden.has(token);
  model.encode = (words) => {
    const tokens = encode(words);
    if (!tokens.some(isForbidden)) return tokens;
    return words.flatMap((word) => {
      const whole = encode([word]);
      return whole.some(isForbidden) ? marker.pieces(word).flatMap((piece) => encode([piece])) : whole;
    });
  };
}

/** Most missing ids in a vocabulary; published ones miss a few hundred at most. */
const mostMissing = 100_000;

/** Whether a part of a tokenizer's file contains a regular expression that Ballast did not write. */
function hasForeignPattern(part: unknown): boolean {
  if (typeof part !== "object" || part === null) return false;
  const { Regex } = part as { readonly Regex?: unknown };
  if (Regex !== undefined && Regex !== wordPattern && Regex !== bpePattern) return true;
  return Object.values(part).some(hasForeignPattern);
}

/** What Ballast uses of the library, whose own type declarations do not resolve under NodeNext. */
interface Internals extends Repairable {
  pre_tokenizer: (Repairable["pre_tokenizer"] & ((text: string, options?: unknown) => string[])) | null;
  readonly decoder: (Repairable["decoder"] & { readonly end_of_word_suffix?: string | null }) | null;
  readonly model: Repairable["model"] & { readonly unk_token?: string; encode(words: readonly string[]): string[] };
  tokenize(text: string): string[];
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
  decode(ids: number[], options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean }): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
  get_vocab(): Map<string, number>;
  get_added_tokens_decoder(): Map<number, { id: number; content: string; special: boolean }>;
}
