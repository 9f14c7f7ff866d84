/** The three kinds of rows from JSONL files. */
import type { Message } from "../text/index.ts";
import { checkFieldNames, createFieldReader, type FieldReader } from "./fields.ts";
import { readJsonl } from "./jsonl.ts";
import type { PreferenceRow, PromptRow, SftRow } from "./rows.ts";

export interface DataSource {
  /** A JSONL file. */
  readonly path: string;
  /** Names in the file by Ballast's names, where they differ: `{prompt: question, completion: answer}`. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Use only the first rows; 0 is all. */
  readonly limit?: number;
}

/**
 * Rows of `prompt` and `completion`, or of `messages`, the last of which is the assistant's.
 * @throws DataError with file and line where a row cannot be used; UsageError where `fields` has an unknown name
 */
export function readSftRows(source: DataSource): SftRow[] {
  return readRows(source, ["prompt", "completion", "messages"], (row) => {
    if (row.has("completion") || !row.has("messages")) {
      return { prompt: row.prompt("prompt"), completion: row.completion("completion") };
    }
    const prompt = row.messages("messages").slice(0, -1);
    const completion = row.completion("messages");
    if (prompt.length > 0) return { prompt, completion };
    return row.fail("the conversation has no message before the completion", "add the user's message");
  });
}

/**
 * Rows of `prompt`, `chosen` and `rejected`.
 * @throws DataError with file and line where a row cannot be used; UsageError where `fields` has an unknown name
 */
export function readPreferenceRows(source: DataSource): PreferenceRow[] {
  return readRows(source, ["prompt", "chosen", "rejected"], (row) => ({
    prompt: row.prompt("prompt"),
    chosen: row.completion("chosen"),
    rejected: row.completion("rejected"),
  }));
}

/**
 * Rows of `prompt`, or of `messages` (an answer at their end is dropped), with an optional `reference` (a text or a
 * number) and `kind`.
 * @throws DataError with file and line where a row cannot be used; UsageError where `fields` has an unknown name
 */
export function readPromptRows(source: DataSource): PromptRow[] {
  return readRows(source, ["prompt", "messages", "reference", "kind"], (row) => ({
    prompt: row.has("prompt") || !row.has("messages") ? row.prompt("prompt") : unanswered(row.messages("messages")),
    reference: row.optionalText("reference"),
    ...(row.has("kind") ? { kind: row.text("kind") } : {}),
  }));
}

function unanswered(messages: readonly Message[]): readonly Message[] {
  return messages.length > 1 && messages.at(-1)!.role === "assistant" ? messages.slice(0, -1) : messages;
}

function readRows<Row>(source: DataSource, known: readonly string[], toRow: (row: FieldReader) => Row): Row[] {
  const fields = source.fields ?? {};
  checkFieldNames(fields, known);
  return readJsonl(source.path, { limit: source.limit ?? 0 }).map((row) =>
    toRow(createFieldReader(source.path, row, { fields, known })),
  );
}
