/** The three kinds of rows from files of any format. */
import { barePrompt, type Message } from "../text/index.ts";
import { quote } from "../util/quote.ts";
import { commonHistory, joinedPrompt, sharedBeginning } from "./conversation.ts";
import { type Paths, pathsText } from "./data-files.ts";
import { type FieldNames, missingHint } from "./field-names.ts";
import { readFiles } from "./read-file.ts";
import { wholeFile } from "./row-faults.ts";
import { checkFieldNames, createFieldReader, type FieldReader } from "./row-fields.ts";
import { type PreferenceRow, type PromptRow, placed, type SftRow } from "./row-types.ts";
import type { SourceRow } from "./source-row.ts";

export interface DataSource {
  /** A file, several, or a pattern such as `data/*.parquet`. */
  readonly path: Paths;
  /** The file's field names by Ballast's names, if they differ: `{prompt: question, completion: answer}`. */
  readonly fields?: FieldNames;
  /** Use only the first rows; 0 means all. */
  readonly limit?: number;
}

/** `error`: a row with an empty answer is a fault. `skip`: it is read, and left out when rows are encoded. */
export type EmptyAnswers = "error" | "skip";

interface RowKind<Row> {
  /** Fields that a row may have. */
  readonly known: readonly string[];
  /** Sets of fields that each make a row, the usual one first. */
  readonly shapes: readonly (readonly string[])[];
  readonly toRow: (row: FieldReader) => Row;
}

const demonstrations: RowKind<SftRow> = {
  known: ["prompt", "completion", "messages"],
  shapes: [["prompt", "completion"], ["messages"]],
  toRow(row) {
    const { fail } = row;
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

const preferences: RowKind<PreferenceRow> = {
  known: ["prompt", "chosen", "rejected"],
  shapes: [
    ["prompt", "chosen", "rejected"],
    ["chosen", "rejected"],
  ],
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

const prompts: RowKind<PromptRow> = {
  known: ["prompt", "messages", "reference", "kind"],
  shapes: [["prompt"], ["messages"]],
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

/**
 * Reads rows of `prompt` and `completion`, or of `messages` that end with the assistant's.
 * @throws RowsError with file and line of each row that cannot be used; UsageError if `fields` has an unknown name
 */
export function readSftRows(source: DataSource, emptyAnswers: EmptyAnswers = "error"): SftRow[] {
  return readRows(source, demonstrations, emptyAnswers);
}

/**
 * Reads rows of `prompt`, `chosen` and `rejected`. Without a prompt it is what both answers share before they differ: the history of
 * conversations, the turns of HH-RLHF's strings, or the first words of two texts.
 * @throws RowsError with file and line of each row that cannot be used; UsageError if `fields` has an unknown name
 */
export function readPreferenceRows(source: DataSource, emptyAnswers: EmptyAnswers = "error"): PreferenceRow[] {
  return readRows(source, preferences, emptyAnswers);
}

/**
 * Reads rows of `prompt`, or of `messages` (a final answer is dropped), with an optional `reference` (a text, a number, true or false; a
 * list or an object is passed to the user's functions) and `kind`.
 * @throws RowsError with file and line of each row that cannot be used; UsageError if `fields` has an unknown name
 */
export function readPromptRows(source: DataSource): PromptRow[] {
  return readRows(source, prompts);
}

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

function readRows<Row extends object>(
  { path, fields = {}, limit = 0 }: DataSource,
  { known, shapes, toRow }: RowKind<Row>,
  emptyAnswers: EmptyAnswers = "error",
): Row[] {
  checkFieldNames(fields, known);
  // A name that occurs in at least one row is only missing from the others; a name that occurs in none is mistyped.
  const unseen = new Map(Object.entries(fields));
  let columns: readonly string[] = [];
  const hints = new Map<string, string>();
  const use = (row: SourceRow) => {
    for (const [field, column] of unseen) if (Object.hasOwn(row.value, column)) unseen.delete(field);
    columns = Object.keys(row.value).filter((column) => row.value[column] !== null);
    const read = (names: FieldNames, hint: () => string) =>
      toRow(createFieldReader(row, { fields: names, known, emptyAnswers: emptyAnswers === "skip", missingHint: hint }));
    const attempt = (names: FieldNames) => read(names, () => "");
    const hint = () => {
      // The proposal is the same for all rows with these columns, and takes trying them out.
      const key = JSON.stringify(columns);
      const found = hints.get(key) ?? missingHint({ row: row.value, fields, shapes, read: attempt });
      hints.set(key, found);
      return found;
    };
    return placed(read(fields, hint), row.place);
  };
  const rows = readFiles(path, { limit, use });
  for (const [field, column] of unseen)
    throw wholeFile(
      `the field "${column}" is missing from every row of ${pathsText(path)}`,
      `fields.${field} in the configuration says "${column}"; the last row has ${columns.map((key) => `"${key}"`).join(", ")}`,
    );
  return rows;
}
