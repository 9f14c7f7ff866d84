/** What the rest of Ballast knows about text: messages, and a tokenizer as an interface. */

export interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
  /** The one message that a prompt became which was a text, no conversation: it is read as it stands if there is no template. */
  readonly bare?: true;
}

/** A prompt that is a text. */
export function barePrompt(content: string): Message[] {
  return [{ role: "user", content, bare: true }];
}

/**
 * Text to token ids and back.
 *
 * Content (everything but the chat template's own words) never becomes a special token: a user who types `<eos>`
 * gets the characters `<eos>`.
 */
export interface Tokenizer {
  /** Largest id + 1: the least vocabulary that a model for this tokenizer has. */
  readonly vocabularySize: number;
  /** Ids below it that have no token, ascending. */
  readonly missingIds: readonly number[];
  /**
   * For display only. Padding is known by its length, never by this id, so that it may equal `eosId` where a file
   * names no pad token without the end of a response being mistaken for padding.
   */
  readonly padId: number;
  readonly eosId: number;
  /** Ids at which a response ends, `eosId` first: those of the model's files, of its chat template's turn end, of the configuration. */
  readonly stopIds: readonly number[];
  /** The one of them that the chat template ends an assistant's turn with, and completions end with; null if it has none. */
  readonly turnEndId: number | null;
  /** Texts that end a response (`responseEnd`). */
  readonly stopStrings: readonly string[];
  /** The id that text begins with; null where the tokenizer has none. */
  readonly bosId: number | null;
  /** The id of what the vocabulary lacks; null where the tokenizer has none. */
  readonly unkId: number | null;
  /** Ids of content; no special token is added or parsed. */
  encode(text: string): number[];
  /** The text of a whole sequence; special tokens are left out by default, ids outside the vocabulary always. */
  decode(ids: readonly number[], options?: { special?: boolean }): string;
  /** One token for display: part of a multi-byte character reads `<0xF0>`. */
  tokenText(id: number): string;
  /**
   * The conversation through the chat template, with the generation prompt; without a template only a prompt that is a text,
   * as it stands, after BOS if the tokenizer's files put one before a text. Never empty.
   * @throws DataError if the template refuses the conversation, or a conversation has none
   */
  encodePrompt(messages: readonly Message[]): number[];
  /** Content, then what the chat template ends an assistant's turn with, up to its first special token; EOS if it has none. */
  encodeCompletion(text: string): number[];
  /** Writes `tokenizer.json`, `tokenizer_config.json` and `generation_config.json`, which names the stops, flushed to disk, into a folder that exists. */
  save(folder: string): void;
}
