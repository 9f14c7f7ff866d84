/** Where a response ends: the tokens and texts that stop it, and what a chat template writes at the end of an assistant's turn. */
import { UsageError } from "../util/errors.ts";
import type { Library } from "./library.ts";
import type { ChatTemplate } from "./template.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Stops that a configuration adds to those in the files. */
export interface AddedStops {
  /** Tokens by text or id. */
  readonly stopTokens?: readonly (string | number)[];
  readonly stopStrings?: readonly string[];
}

/** What the template writes after an assistant's words, up to and including its first special token. */
export interface TurnEnd {
  /** Text before the token; empty for most templates. */
  readonly before: string;
  readonly id: number;
}

/**
 * Finds a template's turn end by rendering a turn, both last and in the middle of a conversation. Returns null if the template refuses it, does not
 * end turns with a special token (but with a line end, for example), or does so only for the last.
 */
export function turnEndOf(template: ChatTemplate, { specials }: Pick<Library, "specials">): TurnEnd | null {
  // Words that no template looks for and every template keeps.
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
  // A template that always opens the next turn would otherwise yield that turn's token.
  const inside = after(user, assistant, user);
  if (inside !== null && !inside.startsWith(last.slice(0, first.at + first.token.length))) return null;
  return { before: last.slice(0, first.at), id: first.id };
}

/**
 * The ids at which a response stops, `eosId` first: those of `generation_config.json` and `config.json`, the template's turn end, and those that the
 * configuration adds.
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
    /** The `eos_token_id` values in the files: each a number, a list, or absent. */
    readonly named: readonly unknown[];
    readonly turnEnd: TurnEnd | null;
    readonly added?: readonly (string | number)[] | undefined;
  },
): number[] {
  // A default from a different vocabulary (GPT-2's 50256) names nothing here.
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

/** The stop strings of a generation_config.json (one text or a list), followed by those of the configuration. */
export function stopStringsOf(named: unknown, added: readonly string[] = []): string[] {
  const texts = [named].flat().filter((text): text is string => typeof text === "string" && text !== "");
  return [...new Set([...texts, ...added])];
}

export interface ResponseEnd {
  /** Number of tokens up to and including the one that ended the response; all of them if no stop did. */
  readonly length: number;
  /** The response as text, without what stopped it. */
  readonly text: string;
  /** Whether a stop token or a stop string ended it. */
  readonly stopped: boolean;
}

/**
 * Finds where sampled tokens end as a response: at a stop token, or with the first token after which their text contains a stop string. The tokens
 * keep what stopped them, since the policy chose it; the text ends before it.
 */
export function responseEnd(tokenizer: Tokenizer, tokens: readonly number[]): ResponseEnd {
  const { stopIds, stopStrings } = tokenizer;
  const stopped = stopIds.includes(tokens.at(-1) as number);
  const said = stopped ? tokens.slice(0, -1) : tokens;
  const text = tokenizer.decode(said);
  const holds = (text: string) => stopStrings.some((stop) => text.includes(stop));
  if (!holds(text)) return { length: tokens.length, text, stopped };
  // A longer prefix contains every stop string that a shorter one contains.
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
