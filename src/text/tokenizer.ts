/** The interface to text for the rest of Ballast: messages and tokenizers. */

export interface Message {
  /** `tool`: what a tool answered, for templates that have a place for it. */
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content: string;
  /** What an assistant's message asks of tools, and which call a tool's message answers: for the template, as they stand in the file. */
  readonly tool_calls?: readonly unknown[];
  readonly tool_call_id?: string;
  readonly name?: string;
  /** On a conversation's first message: the tools that it may call, the template's variable `tools`. */
  readonly tools?: readonly unknown[];
  /** Marks the message of a prompt that was a text, not a conversation: without a template it is read as it is. */
  readonly bare?: true;
}

/** The messages for a prompt that is a text. */
export function barePrompt(content: string): Message[] {
  return [{ role: "user", content, bare: true }];
}

/**
 * Converts text to token ids and back.
 *
 * Content (everything except the chat template's own words) never becomes a special token: a user who types `<eos>` gets the characters `<eos>`.
 */
export interface Tokenizer {
  /** What differs from transformers, for people: a few things in decoding. What would change ids is refused. */
  readonly notes: readonly string[];
  /** Largest id + 1. */
  readonly vocabularySize: number;
  /**
   * The smallest vocabulary that a model for this tokenizer can have. Ids from it on are special tokens that nothing writes: no text, not the chat template,
   * no end of a response. Published text models may lack their rows (Gemma 3 1B that of `<image_soft_token>`).
   */
  readonly smallestVocabulary: number;
  /** Ids below `vocabularySize` without a token, ascending. */
  readonly missingIds: readonly number[];
  /**
   * The pad token's id, for display only. Padding is identified by its length, never by this id. If a file names no pad token, the id therefore may
   * equal `eosId`: the end of a response is not mistaken for padding.
   */
  readonly padId: number;
  readonly eosId: number;
  /** Ids at which a response ends, `eosId` first: those of the model's files, of the chat template's turn end, and of the configuration. */
  readonly stopIds: readonly number[];
  /** The stop id with which the chat template ends an assistant's turn, and completions end; null if it has none. */
  readonly turnEndId: number | null;
  /** Texts that end a response (see `responseEnd`). */
  readonly stopStrings: readonly string[];
  /** The id that text begins with; null if the tokenizer has none. */
  readonly bosId: number | null;
  /** The id for unknown words; null if the tokenizer has none. */
  readonly unkId: number | null;
  /** Ids of content; special tokens are neither added nor parsed. */
  encode(text: string): number[];
  /** The text of a whole sequence; special tokens are left out by default, ids outside the vocabulary always. */
  decode(ids: readonly number[], options?: { special?: boolean }): string;
  /** One token's text for display: a part of a multi-byte character is shown as `<0xF0>`. */
  tokenText(id: number): string;
  /**
   * The ids of a conversation after the chat template, including the generation prompt. Without a template only a prompt that is a text is accepted:
   * it is encoded as it is, after BOS if the tokenizer's files put one before a text. Never empty.
   * @throws DataError if the template refuses the conversation, or if a conversation has no template
   */
  encodePrompt(messages: readonly Message[]): number[];
  /**
   * The ids of a completion, followed by what the chat template writes at the end of an assistant's turn, up to its first special token; EOS if it
   * has none.
   */
  encodeCompletion(text: string): number[];
  /** The ids of a whole text, after BOS if the tokenizer's files put one before a text, followed by EOS; without the chat template. */
  encodeDocument(text: string): number[];
  /**
   * Writes `tokenizer.json`, `tokenizer_config.json` and `generation_config.json`, which names the stops, into an existing folder and flushes them to
   * disk.
   */
  save(folder: string): void;
}
