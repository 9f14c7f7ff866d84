/** A Ballast tokenizer on top of the ecosystem's library: every tokenizer, built in or from a file, is made here. */
import { DataError } from "../util/errors.ts";
import { displayByte } from "./bytes.ts";
import { type SpecialTokenJson, type TokenizerFiles, writeTokenizerFiles } from "./files.ts";
import { checkImport } from "./import-check.ts";
import { type Library, openLibrary } from "./library.ts";
import { savedConfig, savedGeneration } from "./saved.ts";
import { freeMark } from "./special.ts";
import { type AddedStops, stopIdsOf, stopStringsOf, turnEndOf } from "./stops.ts";
import { createChatTemplate } from "./template.ts";
import type { Message, Tokenizer } from "./tokenizer.ts";

/** End-of-text tokens of published tokenizers, for files that do not name theirs (GPT-2's own do not). */
const knownEosTokens = ["<|endoftext|>", "</s>", "<eos>", "<|im_end|>", "<|end_of_text|>", "[SEP]"];

/** A chat template for any tokenizer, as YAML: each message on a line after its role, then the assistant's turn. */
export const exampleTemplate = `"{% for m in messages %}{{ m.role }}: {{ m.content }}\\n{% endfor %}assistant: "`;

export interface WrapOptions extends AddedStops {
  /** Whether the files are of others, and are checked for what the library does not honour. */
  readonly imported?: boolean;
  readonly chatTemplate?: string | null | undefined;
}

/**
 * Wraps the objects of `tokenizer.json` and `tokenizer_config.json`. Without a pad token padId equals eosId.
 * @param source names the tokenizer in errors
 * @param options `chatTemplate`: undefined uses the files' own, null uses none; stops are added to the files' own
 * @throws DataError if the library refuses the files or would encode differently from transformers, no EOS token is known, or the template does not
 * parse
 */
export function wrapTokenizer(files: TokenizerFiles, source: string, options: WrapOptions = {}): Tokenizer {
  const { chatTemplate } = options;
  const named = {
    bos_token: contentOf(files.config.bos_token),
    eos_token: contentOf(files.config.eos_token),
    pad_token: contentOf(files.config.pad_token),
    unk_token: contentOf(files.config.unk_token) ?? contentOf(files.tokenizer.model.unk_token),
  };
  const library = openLibrary({ tokenizer: files.tokenizer, config: { ...files.config, ...named } }, source);
  const idOf = (token: string | undefined) => (token === undefined ? undefined : library.idOf(token));
  const specialTexts = [...library.specials.values()];

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
  const tokens = definedOnly({ ...named, eos_token: eosToken });
  const has = (token: string) => idOf(token) !== undefined;
  // transformers passes to a template each token that the configuration names (`image_token`), and adds missing ones to the vocabulary; a model has
  // no row for them.
  const templateTokens = () => {
    const named = Object.entries({ ...files.config, ...tokens }).filter(
      (entry): entry is [string, string] => entry[0].endsWith("_token") && typeof entry[1] === "string",
    );
    const lacking = named.find(([name, token]) => templateSource!.includes(name) && !has(token));
    if (lacking === undefined) return Object.fromEntries(named);
    throw new DataError(
      `the chat template of the tokenizer ${source} writes ${lacking[0]}, which is "${lacking[1]}", which its vocabulary lacks`,
      "correct tokenizer_config.json, or give another template in tokenizer.chatTemplate",
    );
  };
  const templateSource =
    chatTemplate === undefined ? templateOf(files.config.chat_template) : (chatTemplate ?? undefined);
  const template =
    templateSource === undefined ? null : createChatTemplate(templateSource, templateTokens(), library.marker);

  const turnEnd = template === null ? null : turnEndOf(template, library);
  const stopIds = stopIdsOf(library, {
    eosId,
    named: [files.generation?.eos_token_id, files.modelEos],
    turnEnd,
    added: options.stopTokens,
  });
  const stopStrings = stopStringsOf(files.generation?.stop_strings, options.stopStrings);

  const encode = (text: string) => {
    const mark = freeMark([text]);
    return library.encode(library.marker.mark(text, mark), mark);
  };
  const beginsWithBos = bosId !== undefined && (files.config.add_bos_token ?? library.beginsWith(bosId));
  const idsOfPrompt = (messages: readonly Message[]) => {
    if (template !== null) {
      const { text, mark } = template.render(messages);
      return library.encode(text, mark);
    }
    const [only] = messages;
    if (messages.length === 1 && only!.bare) return [...(beginsWithBos ? [bosId] : []), ...encode(only!.content)];
    const roles = messages.map((message) => message.role).join(", ");
    throw new DataError(
      `a conversation (${roles}) needs a chat template, and the tokenizer ${source} has none`,
      `give one in the configuration, such as tokenizer: {chatTemplate: ${exampleTemplate}}, or prompts that are texts: without a template a text is read as it stands`,
    );
  };
  // Bytes, and pieces with their spaces, are decoded as they are: transformers 5 ignores the setting for BPE.
  const cleanUp = files.tokenizer.model.type === "WordPiece" && files.config.clean_up_tokenization_spaces === true;
  const decode = (ids: readonly number[], special: boolean) => library.decode(ids, { cleanUp, special });

  const padId = idOf(named.pad_token) ?? eosId;
  return {
    notes: options.imported ? checkImport(files, library, source) : [],
    vocabularySize: library.vocabularySize,
    smallestVocabulary: smallestVocabulary(library, {
      used: new Set([eosId, bosId, padId, idOf(named.unk_token), ...stopIds]),
      isWritten: (token) =>
        templateSource !== undefined &&
        (templateSource.includes(token) ||
          Object.entries(files.config).some(([name, value]) => value === token && templateSource.includes(name))),
    }),
    missingIds: library.missingIds,
    padId,
    eosId,
    stopIds,
    turnEndId: turnEnd?.id ?? null,
    stopStrings,
    bosId: bosId ?? null,
    unkId: idOf(named.unk_token) ?? null,
    encode,
    decode: (ids, { special = false } = {}) => decode(ids, special),
    tokenText: (id) => displayText(library.tokenOf(id), id, decode([id], true)),
    encodePrompt(messages) {
      const ids = idsOfPrompt(messages);
      return ids.length > 0 ? ids : [bosId ?? eosId];
    },
    encodeDocument: (text) => [...(beginsWithBos ? [bosId] : []), ...encode(text), eosId],
    encodeCompletion: (text) => [...encode(text + (turnEnd?.before ?? "")), turnEnd?.id ?? eosId],
    save: (folder) =>
      writeTokenizerFiles(folder, {
        tokenizer: files.tokenizer,
        config: savedConfig(files.config, {
          tokens,
          chatTemplate: templateSource,
          cleanUp,
          has,
        }),
        generation: savedGeneration(files.generation, { bosId, padId, stopIds, stopStrings }),
      }),
  };
}

/** One more than the last id that something writes: a word, a special token that is used, or one that the template writes. */
function smallestVocabulary(
  { vocabularySize, specials, tokenOf }: Library,
  of: { readonly used: ReadonlySet<number | undefined>; readonly isWritten: (token: string) => boolean },
): number {
  let size = vocabularySize;
  for (; size > 0; size--) {
    const token = specials.get(size - 1);
    if (token === undefined ? tokenOf(size - 1) !== undefined : of.used.has(size - 1) || of.isWritten(token)) break;
  }
  return size;
}

function contentOf(token: SpecialTokenJson): string | undefined {
  // GPT-2's file calls its unknown token "".
  return (typeof token === "string" ? token : token?.content) || undefined;
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
