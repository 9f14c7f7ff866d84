/** A model that answers turn by turn: loaded once, its prompt rendered by the chat template as in training, its text told as it grows. */
import { encodePrompt, useAll } from "../data/index.ts";
import type { Engine, StopReason } from "../engine/engine.ts";
import { barePrompt, type Message, responseEnd, type Tokenizer } from "../text/index.ts";
import { UsageError } from "../util/errors.ts";
import { loadTrunk } from "./stage-models.ts";

/** Tokens sampled in one call of the engine: after each the text so far is told. The prompt is read again each time. */
const tokensAtOnce = 16;

export interface ReplyOptions {
  /** The conversation, which ends with the user's turn. */
  readonly messages: readonly Message[];
  /** Longest answer in tokens; less if the conversation leaves less room in the context. */
  readonly maxNewTokens: number;
  /** Sampling temperature; 0 is greedy. */
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
  /** Chunk c of the answer draws from the stream (seed, c). */
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
  readonly stopReason: StopReason;
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
    const whole = { context: Number.MAX_SAFE_INTEGER, maxNewTokens: 1, longPrompts: "error" } as const;
    const [tokens] = useAll([prompt], (one) => encodePrompt({ prompt: one, reference: null }, tokenizer, whole));
    const room = Math.min(maxNewTokens, context - tokens!.length);
    if (room < 1)
      throw new UsageError(
        `the conversation has ${tokens!.length} tokens and fills the model's context of ${context}`,
        "Begin a new one, or shorten it.",
      );
    const said: number[] = [];
    for (let chunk = 0; said.length < room && !stopped?.(); chunk++) {
      const result = await engine.sample(model.id, {
        prompts: [[...tokens!, ...said]],
        maxNewTokens: Math.min(tokensAtOnce, room - said.length),
        stopTokens: tokenizer.stopIds,
        ...{ temperature, topK, topP, seed },
        streams: [chunk],
      });
      said.push(...result.tokens[0]!);
      const { text, length, stopped: ended } = responseEnd(tokenizer, said);
      onText?.(text);
      if (ended) return { text, tokens: length, promptTokens: tokens!.length, stopReason: "stop" };
    }
    const { text, length } = responseEnd(tokenizer, said);
    return { text, tokens: length, promptTokens: tokens!.length, stopReason: "length" };
  };
  return {
    context,
    parameters: model.parameters,
    reply,
    close: () => engine.disposeModel(model.id),
  };
}
