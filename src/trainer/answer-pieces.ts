/** One turn of a conversation, answered in pieces: for a chat that shows text as it comes and can be stopped. */
import type { Engine, ModelId, StopReason } from "../engine/engine.ts";
import { type Message, responseEnd, type Tokenizer } from "../text/index.ts";
import { UsageError } from "../util/errors.ts";

/** Tokens of a piece: the prompt is read anew for each, so the first is short and later ones are longer. */
const firstPiece = 4;
const longestPiece = 32;

export interface AnswerRequest {
  readonly engine: Engine;
  readonly tokenizer: Tokenizer;
  readonly model: ModelId;
  /** The model's context, in tokens. */
  readonly context: number;
  /** The conversation so far, ending with the user's message. */
  readonly messages: readonly Message[];
  /** Longest answer in tokens; less if the context has less room. */
  readonly maxNewTokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly seed: number;
  /** The number of the turn: each has random streams of its own. */
  readonly turn: number;
  /** Called with each new piece of text: together they are the beginning of the answer, and at its end all of it. */
  readonly onText?: (text: string) => void;
  /** Looked at between two pieces: true ends the answer where it is. */
  readonly stopped?: () => boolean;
}

export interface Answer {
  readonly text: string;
  readonly tokens: number;
  /** `stopped`: the caller ended it. */
  readonly reason: StopReason | "stopped";
}

/**
 * Samples an answer piece by piece. At temperature 0 it is what one call of the engine would give.
 * @throws UsageError if the conversation leaves no room in the context
 */
export async function answerInPieces(request: AnswerRequest): Promise<Answer> {
  const { engine, tokenizer, model, context, messages, maxNewTokens, turn, seed } = request;
  const { temperature, topK, topP, onText = () => {}, stopped = () => false } = request;
  const prompt = tokenizer.encodePrompt(messages);
  const room = Math.min(maxNewTokens, context - prompt.length);
  if (room < 1)
    throw new UsageError(
      `the conversation takes ${prompt.length} tokens, and the model reads ${context}`,
      "Begin anew (/reset in ballast chat), or shorten it.",
    );
  const response: number[] = [];
  let shown = "";
  const show = (text: string) => {
    if (!text.startsWith(shown) || text === shown) return;
    onText(text.slice(shown.length));
    shown = text;
  };
  for (let piece = 0; ; piece++) {
    const { tokens, stopReasons } = await engine.sample(model, {
      prompts: [[...prompt, ...response]],
      maxNewTokens: Math.min(firstPiece * 2 ** piece, longestPiece, room - response.length),
      stopTokens: tokenizer.stopIds,
      ...{ temperature, topK, topP, seed },
      // No two pieces of a chat share random numbers: a turn has fewer pieces than a context has tokens.
      streams: [turn * context + piece],
    });
    response.push(...tokens[0]!);
    const end = responseEnd(tokenizer, response);
    const done =
      end.stopped || stopReasons[0] === "stop"
        ? "stop"
        : response.length >= room
          ? "length"
          : stopped()
            ? "stopped"
            : null;
    show(done === null ? settled(end.text, tokenizer) : end.text);
    if (done !== null) return { text: end.text, tokens: end.length, reason: done };
  }
}

/** The part of a text that more tokens do not change: without a character of which only some bytes are there, and what may begin a stop string. */
function settled(text: string, { stopStrings }: Tokenizer): string {
  const whole = text.replace(/\uFFFD+$/, "");
  const held = Math.max(0, ...stopStrings.map(({ length }) => length - 1));
  return whole.slice(0, Math.max(0, whole.length - held));
}
