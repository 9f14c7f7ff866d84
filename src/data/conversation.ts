/** Conversations in rows: HH-RLHF's strings, a conversation's answer, and how two of them are joined. */
import type { Message } from "../text/index.ts";
import { quote } from "../util/quote.ts";

/** An answer, with the conversation that its column holds before it, if any. */
export interface Answer {
  readonly history: readonly Message[];
  readonly text: string;
}

/** Rejects the row. `value` is the beginning of the column's content. */
export type Fail = (problem: string, hint: string, value?: string) => never;

/** Splits a conversation into its last message, which is the answer, and the history before it. */
export function answerOf(messages: readonly Message[], column: string, fail: Fail): Answer {
  const last = messages.at(-1)!;
  if (last.role !== "assistant")
    fail(`the last message of "${column}" is the ${last.role}'s`, "it must be the assistant's");
  if (last.tool_calls !== undefined)
    fail(
      `the last message of "${column}" calls a tool`,
      "a completion is a text: end the conversation with one, or leave the row out",
    );
  return { history: messages.slice(0, -1), text: last.content };
}

/** The turns of one of HH-RLHF's strings (Bai et al. 2022): "\n\nHuman: ...\n\nAssistant: ..."; null for any other text. */
export function parseHumanAssistant(text: string): Message[] | null {
  if (!text.startsWith("\n\nHuman:")) return null;
  const parts = text.split(/\n\n(Human|Assistant):/).slice(1);
  return Array.from({ length: parts.length / 2 }, (_, i) => ({
    role: parts[2 * i] === "Human" ? "user" : "assistant",
    content: parts[2 * i + 1]!.replace(/^ /, ""),
  }));
}

/** The conversation that both answers of a pair reply to. */
export function commonHistory(chosen: Answer, rejected: Answer, fail: Fail): readonly Message[] {
  const [a, b] = [chosen.history, rejected.history];
  if (a.length === 0) return b;
  const differs = Array.from({ length: Math.max(a.length, b.length) }, (_, i) => i).find((i) => !same(a[i], b[i]));
  if (b.length === 0 || differs === undefined) return a;
  return fail(
    '"chosen" and "rejected" answer different conversations',
    "a pair holds two answers to one conversation: correct the row, or leave it out",
    `message ${differs + 1}, ${said(a[differs])} against ${said(b[differs])}`,
  );
}

/**
 * Joins a prompt with the part of it that the answer's column repeats: all of it, its beginning or its end, with or without the system
 * message. A history that begins with the assistant continues the prompt.
 */
export function joinedPrompt(
  prompt: readonly Message[],
  history: readonly Message[],
  { column, fail }: { readonly column: string; readonly fail: Fail },
): readonly Message[] {
  if (history.length === 0) return prompt;
  if (history[0]!.role === "assistant") return [...prompt.map(({ role, content }) => ({ role, content })), ...history];
  const [asked, held] = [parted(prompt), parted(history)];
  const whole = held.turns.length >= asked.turns.length;
  const begins = asked.turns.every((message, i) => same(message, held.turns[i]));
  const ends = asked.turns.every((message, i) => same(message, held.turns[held.turns.length - asked.turns.length + i]));
  const oneSystem = asked.system === undefined || held.system === undefined || same(asked.system, held.system);
  if (whole && (begins || ends) && oneSystem) {
    const system = held.system ?? asked.system;
    return system === undefined ? held.turns : [system, ...held.turns];
  }
  return fail(
    `"prompt" is not in the conversation that "${column}" answers`,
    "the prompt is that conversation, its beginning or its end: correct the row, or leave it out",
    `${said(prompt.at(-1))} against ${said(history.find(({ role }) => role === "user") ?? history[0])}`,
  );
}

function parted(messages: readonly Message[]): { system: Message | undefined; turns: readonly Message[] } {
  const [first] = messages;
  return first?.role === "system"
    ? { system: first, turns: messages.slice(1) }
    : { system: undefined, turns: messages };
}

/** Whether two messages are equal, ignoring surrounding space: files are careless with it. */
function same(a: Message | undefined, b: Message | undefined): boolean {
  const calls = (message: Message | undefined) => JSON.stringify(message?.tool_calls);
  return a?.role === b?.role && a?.content.trim() === b?.content.trim() && calls(a) === calls(b);
}

function said(message: Message | undefined): string {
  return message === undefined ? "none" : `the ${message.role}'s ${quote(message.content, 40)}`;
}

/**
 * The common beginning of two texts, up to the end of a word and with words left in both; empty if there is none. Like TRL's implicit
 * prompt (`extract_prompt`), but that cuts within words.
 */
export function sharedBeginning(a: string, b: string): string {
  let length = 0;
  while (length < Math.min(a.length, b.length) && a[length] === b[length]) length++;
  return a.slice(0, length).replace(/\s+\S*$|^\S+$/, "");
}
