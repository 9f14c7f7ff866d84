/** A model that answers turn by turn: loaded once, its prompt rendered by the chat template as in training, its text told as it grows. */
import type { Engine } from "../engine/engine.ts";
import { barePrompt, type Message, type Tokenizer } from "../text/index.ts";
import { type Answer, answerInPieces } from "./answer-pieces.ts";
import { loadTrunk } from "./stage-models.ts";

export interface ReplyOptions {
  /** The conversation, which ends with the user's turn. */
  readonly messages: readonly Message[];
  /** Longest answer in tokens; less if the conversation leaves less room in the context. */
  readonly maxNewTokens: number;
  /** Sampling temperature; 0 is greedy. */
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly seed: number;
  /** Called with the whole text so far, without special tokens. */
  readonly onText?: (text: string) => void;
  /** Whether nobody waits for the answer any longer. */
  readonly stopped?: () => boolean;
}

export interface Reply {
  readonly text: string;
  readonly tokens: number;
  /** Tokens of the conversation as the model read it. */
  readonly promptTokens: number;
  readonly stopReason: Answer["reason"];
}

export interface Conversant {
  readonly context: number;
  readonly parameters: number;
  /** @throws UsageError if the conversation fills the context; DataError if the template refuses it, or there is none for a conversation */
  reply(options: ReplyOptions): Promise<Reply>;
  /** Frees the model's memory. */
  close(): Promise<void>;
}

/** Loads a language model from a Hugging Face folder. */
export async function openConversant(engine: Engine, folder: string, tokenizer: Tokenizer): Promise<Conversant> {
  const model = await loadTrunk(engine, folder, { tokenizer, heads: ["lm"], seed: 0, frozen: true });
  const { context } = model.config;
  const reply = async (options: ReplyOptions): Promise<Reply> => {
    const { messages, maxNewTokens, temperature, topK = 0, topP = 1, seed, onText, stopped } = options;
    const [only] = messages;
    // A model without a chat template still continues a text.
    const prompt = messages.length === 1 && only!.role === "user" ? barePrompt(only!.content) : messages;
    const promptTokens = tokenizer.encodePrompt(prompt).length;
    let shown = "";
    const { text, tokens, reason } = await answerInPieces({
      ...{ engine, tokenizer, context, maxNewTokens, temperature, topK, topP, seed, turn: 0 },
      model: model.id,
      messages: prompt,
      onText: (piece) => {
        shown += piece;
        onText?.(shown);
      },
      ...(stopped && { stopped }),
    });
    return { text, tokens, promptTokens, stopReason: reason };
  };
  return {
    context,
    parameters: model.parameters,
    reply,
    close: () => engine.disposeModel(model.id),
  };
}
