/** How a row of each kind is put together from its fields: demonstrations, preferences, prompts. */
import { barePrompt, type Message } from "../text/index.ts";
import { quote } from "../util/quote.ts";
import { commonHistory, joinedPrompt, sharedBeginning } from "./conversation.ts";
import type { RowUse } from "./published-shapes.ts";
import type { FieldReader } from "./row-fields.ts";
import type { PreferenceRow, PromptRow, SftRow } from "./row-types.ts";

export interface RowKind<Row> {
  readonly use: RowUse;
  /** Fields that a row may have. */
  readonly known: readonly string[];
  /** Sets of fields that each make a row, the usual one first. */
  readonly shapes: readonly (readonly string[])[];
  /** Whether the row has what it needs under Ballast's names; no other shape is looked for then. */
  readonly isOwn: (row: FieldReader) => boolean;
  readonly toRow: (row: FieldReader) => Row;
}

export const demonstrations: RowKind<SftRow> = {
  use: "demonstrations",
  known: ["prompt", "completion", "messages", "text"],
  shapes: [["prompt", "completion"], ["messages"]],
  isOwn: (row) => (row.has("prompt") && row.has("completion")) || row.has("messages"),
  toRow(row) {
    const { fail } = row;
    if (row.has("text") && !row.has("prompt") && !row.has("completion") && !row.has("messages"))
      return { prompt: [], completion: row.text("text"), plain: true };
    if (row.has("completion") || !row.has("messages")) {
      const prompt = row.prompt("prompt");
      const { history, text } = row.answer("completion");
      const joined = joinedPrompt(prompt, history, { column: row.column("completion"), fail });
      return { prompt: withMessages(row, { prompt: joined, completion: text }), completion: text };
    }
    const { history, text } = row.answer("messages");
    if (history.length === 0) fail("the conversation has no message before the completion", "add the user's message");
    const prompt = row.has("prompt") ? row.prompt("prompt") : history;
    return { prompt: joinedPrompt(prompt, history, { column: row.column("messages"), fail }), completion: text };
  },
};

export const preferences: RowKind<PreferenceRow> = {
  use: "preferences",
  known: ["prompt", "chosen", "rejected"],
  shapes: [
    ["prompt", "chosen", "rejected"],
    ["chosen", "rejected"],
  ],
  isOwn: (row) => row.has("prompt") && row.has("chosen") && row.has("rejected"),
  toRow(row) {
    const { fail } = row;
    const prompt = row.has("prompt") ? row.prompt("prompt") : null;
    const [chosen, rejected] = [row.answer("chosen"), row.answer("rejected")];
    const history = commonHistory(chosen, rejected, fail);
    const answers = { chosen: chosen.text, rejected: rejected.text };
    if (prompt) {
      const column = row.column(chosen.history.length > 0 ? "chosen" : "rejected");
      return { prompt: joinedPrompt(prompt, history, { column, fail }), ...answers };
    }
    if (history.length > 0) return { prompt: history, ...answers };
    const shared = row.hasOtherText() ? "" : sharedBeginning(chosen.text, rejected.text);
    if (shared === "" && row.hasOtherText()) return row.missing("prompt");
    if (shared === "")
      return fail(
        `the field "${row.column("prompt")}" is missing, and the two answers share no beginning to take as the prompt`,
        "a prompt that the two texts share is whole words, with words left in both: add the prompt, or leave the row out",
      );
    return {
      prompt: barePrompt(shared),
      chosen: chosen.text.slice(shared.length),
      rejected: rejected.text.slice(shared.length),
    };
  },
};

export const prompts: RowKind<PromptRow> = {
  use: "prompts",
  known: ["prompt", "messages", "reference", "kind"],
  shapes: [["prompt"], ["messages"]],
  isOwn: (row) => row.has("prompt") || row.has("messages"),
  toRow: (row) => ({
    prompt:
      row.has("prompt") || !row.has("messages")
        ? withMessages(row, { prompt: asked(row) })
        : unanswered(row.conversation("messages")),
    reference: row.optionalText("reference"),
    ...(row.has("kind") ? { kind: row.text("kind") } : {}),
    columns: row.columnsWith("reference"),
  }),
};

function asked(row: FieldReader): Message[] {
  const prompt = row.prompt("prompt");
  if (prompt.at(-1)!.role !== "assistant") return prompt;
  return row.fail(
    `the last message of "${row.column("prompt")}" is the assistant's`,
    `a prompt ends before the answer; of "messages" the answer is left out: fields: {messages: ${row.column("prompt")}}`,
  );
}

/** The prompt, or the longer conversation of `messages` beside it. Rejects the row if the two disagree: one of them would be dropped. */
function withMessages(
  row: FieldReader,
  { prompt, completion }: { readonly prompt: readonly Message[]; readonly completion?: string },
): readonly Message[] {
  if (!row.has("messages")) return prompt;
  const column = row.column("messages");
  const messages = row.conversation("messages");
  const last = messages.at(-1)!;
  const isAnswered = last.role === "assistant";
  if (isAnswered && completion !== undefined && completion.trim() !== last.content.trim())
    row.fail(
      `"${row.column("completion")}" is not the last message of "${column}"`,
      "a row holds one answer: correct it, leave it out, or remove one of the two columns",
      `${quote(completion, 40)} against ${quote(last.content, 40)}`,
    );
  const history = isAnswered ? messages.slice(0, -1) : messages;
  const joined = joinedPrompt(prompt, history, { column, fail: row.fail });
  return joined.length > prompt.length ? joined : prompt;
}

function unanswered(messages: readonly Message[]): readonly Message[] {
  return messages.length > 1 && messages.at(-1)!.role === "assistant" ? messages.slice(0, -1) : messages;
}
