/** Where a response ends: the tokens and texts that stop it, and the end that a chat template gives an assistant's turn. */
import { UsageError } from "../util/errors.ts";
import type { Library } from "./library.ts";
import type { ChatTemplate } from "./template.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Stops that a configuration adds to those of the files. */
export interface AddedStops {
  /** Texts of tokens, or their ids. */
  readonly stopTokens?: readonly (string | number)[];
  readonly stopStrings?: readonly string[];
}

/** What the template writes after an assistant's words, up to and with its first special token. */
export interface TurnEnd {
  /** Text before the token; most templates have none. */
  readonly before: string;
  readonly id: number;
}

/**
 * Found by rendering a turn, last and in the middle of a conversation: null if the template refuses it, or ends turns
 * by no special token (by a line end, say), or only the last.
 */
export function turnEndOf(template: ChatTemplate, { specials }: Pick<Library, "specials">): TurnEnd | null {
  // A word that no template looks for, as every template keeps it.
  const [question, answer] = ["Question", "Xanswerx"];
  const user = { role: "user", content: question } as const;
  const assistant = { role: "assistant", content: answer } as const;
  const after = (...messages: Parameters<ChatTemplate["render"]>[0]): string | null => {
    try {
      const { text } = template.render(messages, { generationPrompt: false });
      return text.includes(answer) ? text.slice(text.lastIndexOf(answer) + answer.length) : null;
    } catch {
      return null;
    }
  };
  const last = after(user, assistant);
  if (last === null) return null;
  const found = [...specials].flatMap(([id, token]) =>
    last.includes(token) ? [{ id, token, at: last.indexOf(token) }] : [],
  );
  const first = found.reduce((best, one) => (best === null || one.at < best.at ? one : best), found[0] ?? null);
  if (first === null) return null;
  // A template that always opens the next turn would name that turn's token.
  const inside = after(user, assistant, user);
  if (inside !== null && !inside.startsWith(last.slice(0, first.at + first.token.length))) return null;
  return { before: last.slice(0, first.at), id: first.id };
}

/**
 * The ids at which a response stops, `eosId` first: those of `generation_config.json` and `config.json`, the template's turn
 * end, and what the configuration adds.
 * @throws UsageError if the configuration names a token that the vocabulary lacks
 */
export function stopIdsOf(
  library: Pick<Library, "idOf" | "tokenOf" | "vocabularySize">,
  {
    eosId,
    named,
    turnEnd,
    added = [],
  }: {
    readonly eosId: number;
    /** `eos_token_id` of the files: a number, a list, or nothing. */
    readonly named: readonly unknown[];
    readonly turnEnd: TurnEnd | null;
    readonly added?: readonly (string | number)[] | undefined;
  },
): number[] {
  // A default of another vocabulary (GPT-2's 50256) names nothing here.
  const known = named.flat().filter((id): id is number => typeof id === "number" && library.tokenOf(id) !== undefined);
  const asked = added.map((token) => {
    const id = typeof token === "number" ? token : library.idOf(token);
    if (id !== undefined && library.tokenOf(id) !== undefined) return id;
    throw new UsageError(
      `ppo.stopTokens: the tokenizer has no token ${JSON.stringify(token)}; its ids go up to ${library.vocabularySize - 1}`,
      "name a token by its whole text or its id; a text of several tokens belongs into ppo.stopStrings",
    );
  });
  return [...new Set([eosId, ...known, ...(turnEnd === null ? [] : [turnEnd.id]), ...asked])];
}

/** `stop_strings` of a generation_config.json, a text or a list of them, and those of the configuration. */
export function stopStringsOf(named: unknown, added: readonly string[] = []): string[] {
  const texts = [named].flat().filter((text): text is string => typeof text === "string" && text !== "");
  return [...new Set([...texts, ...added])];
}

export interface ResponseEnd {
  /** Tokens up to and with the one that ended it: all of them, if no text did. */
  readonly length: number;
  /** The response in words, without what stopped it. */
  readonly text: string;
  /** Whether a stop token or a stop string ended it. */
  readonly stopped: boolean;
}

/**
 * Where sampled tokens end as a response: at a stop token, or with the first token after which their text holds a stop
 * string. The tokens keep what stopped them, since the policy chose it; the text ends before it.
 */
export function responseEnd(tokenizer: Tokenizer, tokens: readonly number[]): ResponseEnd {
  const { stopIds, stopStrings } = tokenizer;
  const stopped = stopIds.includes(tokens.at(-1) as number);
  const said = stopped ? tokens.slice(0, -1) : tokens;
  const text = tokenizer.decode(said);
  const holds = (text: string) => stopStrings.some((stop) => text.includes(stop));
  if (!holds(text)) return { length: tokens.length, text, stopped };
  // A longer beginning holds all that a shorter one holds.
  let [without, length] = [0, said.length];
  while (length - without > 1) {
    const middle = Math.floor((without + length) / 2);
    if (holds(tokenizer.decode(said.slice(0, middle)))) length = middle;
    else without = middle;
  }
  const whole = tokenizer.decode(said.slice(0, length));
  const ends = stopStrings.flatMap((stop) => (whole.includes(stop) ? [whole.indexOf(stop)] : []));
  return { length, text: whole.slice(0, Math.min(...ends)), stopped: true };
}
