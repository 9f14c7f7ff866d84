/** A Ballast tokenizer on top of the ecosystem's library: every tokenizer, built in or from a file, goes through here. */
import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { DataError, messageOf } from "../util/errors.ts";
import { displayByte } from "./bytes.ts";
import { type SpecialTokenJson, type TokenizerFiles, writeTokenizerFiles } from "./files.ts";
import { builtInTemplate, createChatTemplate, createSpecialTokenCutter } from "./template.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Ends of text that published tokenizers use, for files that do not name theirs (GPT-2's own do not). */
const knownEosTokens = ["<|endoftext|>", "</s>", "<eos>", "<|im_end|>", "<|end_of_text|>", "[SEP]"];

/**
 * Wraps the objects of `tokenizer.json` and `tokenizer_config.json`.
 *
 * The chat template is `chatTemplate`, else the files', else the built-in one. Without a pad token padId is eosId.
 * @param source names the tokenizer in errors
 * @throws DataError where the library refuses the files, or no EOS token is known
 */
export function wrapTokenizer(files: TokenizerFiles, source: string, chatTemplate?: string): Tokenizer {
  const named = {
    bos_token: contentOf(files.config.bos_token),
    eos_token: contentOf(files.config.eos_token),
    pad_token: contentOf(files.config.pad_token),
    unk_token: contentOf(files.config.unk_token) ?? contentOf(files.tokenizer.model.unk_token),
  };
  const library = openLibrary({ tokenizer: files.tokenizer, config: { ...files.config, ...named } }, source);
  const idOf = (token: string | undefined) => (token === undefined ? undefined : library.token_to_id(token));
  let vocabularySize = 0;
  for (const id of library.get_vocab().values()) vocabularySize = Math.max(vocabularySize, id + 1);
  const specials = [...library.get_added_tokens_decoder().values()].filter((token) => token.special);
  const specialTexts = specials.map((token) => token.content);
  const specialIds = new Set(specials.map((token) => token.id));

  const eosToken = named.eos_token ?? knownEosTokens.find((token) => specialTexts.includes(token));
  const eosId = idOf(eosToken);
  if (eosToken === undefined || eosId === undefined) {
    throw new DataError(
      eosToken === undefined
        ? `the tokenizer ${source} names no end-of-sequence token`
        : `the tokenizer ${source} names "${eosToken}" as its end-of-sequence token, which its vocabulary lacks`,
      `set eos_token in tokenizer_config.json; its special tokens are ${specialTexts.join(" ") || "none"}`,
    );
  }
  const bosId = idOf(named.bos_token);

  const cutter = createSpecialTokenCutter(specialTexts);
  const templateSource = chatTemplate ?? templateOf(files.config.chat_template) ?? builtInTemplate;
  const template = createChatTemplate(templateSource, definedOnly({ ...named, eos_token: eosToken }), cutter);
  const idsOfPieces = (pieces: readonly string[]) =>
    pieces.flatMap((piece) => (piece === "" ? [] : library.encode(piece, { add_special_tokens: false }).ids));
  const decode = (ids: readonly number[], special: boolean) => {
    const known = ids.filter((id) => library.id_to_token(id) !== undefined);
    const kept = special ? known : known.filter((id) => !specialIds.has(id));
    if (kept.length === 0) return "";
    const clean_up_tokenization_spaces = files.config.clean_up_tokenization_spaces ?? false;
    return library.decode(kept, { skip_special_tokens: false, clean_up_tokenization_spaces });
  };

  return {
    vocabularySize,
    padId: idOf(named.pad_token) ?? eosId,
    eosId,
    bosId: bosId ?? null,
    unkId: idOf(named.unk_token) ?? null,
    encode: (text) => idsOfPieces(cutter.pieces(text)),
    decode: (ids, { special = false } = {}) => decode(ids, special),
    tokenText: (id) => displayText(library.id_to_token(id), id, decode([id], true)),
    encodePrompt(messages) {
      const ids = idsOfPieces(template.render(messages));
      return ids.length > 0 ? ids : [bosId ?? eosId];
    },
    encodeCompletion: (text) => [...idsOfPieces(cutter.pieces(text)), eosId],
    save: (folder) =>
      writeTokenizerFiles(folder, {
        tokenizer: files.tokenizer,
        config: { ...files.config, ...definedOnly(named), eos_token: eosToken, chat_template: templateSource },
      }),
  };
}

/** What Ballast uses of the library, whose own type declarations do not resolve under NodeNext. */
interface Library {
  tokenize(text: string): string[];
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
  decode(ids: number[], options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean }): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
  get_vocab(): Map<string, number>;
  get_added_tokens_decoder(): Map<number, { id: number; content: string; special: boolean }>;
}

/** The library's tokenizer of these files. */
export function openLibrary({ tokenizer, config }: TokenizerFiles, source: string): Library {
  try {
    return new LibraryTokenizer(tokenizer, config);
  } catch (error) {
    throw new DataError(`the tokenizer ${source} cannot be used: ${messageOf(error)}`, "check its tokenizer.json", {
      cause: error,
    });
  }
}

function contentOf(token: SpecialTokenJson): string | undefined {
  return typeof token === "string" ? token : (token?.content ?? undefined);
}

function templateOf(template: TokenizerFiles["config"]["chat_template"]): string | undefined {
  if (template === null || template === undefined || typeof template === "string") return template ?? undefined;
  return template.find((entry) => entry.name === "default")?.template ?? template[0]?.template;
}

function definedOnly(record: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(record).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function displayText(token: string | undefined, id: number, decoded: string): string {
  if (token === undefined) return `<no token ${id}>`;
  if (token.includes("▁")) return token.replaceAll("▁", " ");
  if (!decoded.includes("\uFFFD") || /^<0x[0-9A-F]{2}>$/.test(token)) return decoded === "" ? token : decoded;
  return [...token].map((character) => displayByte(character) ?? character).join("");
}
