/** Takes typed fields out of a row, and says precisely what is wrong with a field that cannot be taken. */
import { barePrompt, type Message } from "../text/index.ts";
import { UsageError } from "../util/errors.ts";
import { meant } from "../util/nearest.ts";
import { type Answer, answerOf, type Fail, parseHumanAssistant } from "./conversation.ts";
import { kindOf, messageList, notTextHint, parseMessages, textOf } from "./messages.ts";
import { isMark } from "./published-shapes.ts";
import { RowsError } from "./row-faults.ts";
import type { SourceRow } from "./source-row.ts";

/** One row of a file, read under the names in the configuration's `fields`. null counts as absent. */
export interface FieldReader {
  has(field: string): boolean;
  /** A text that is not blank. */
  text(field: string): string;
  /** A text, a number as it is written, true or false; null if the row has no such field, or if it is a list or an object. */
  optionalText(field: string): string | null;
  /** Every column under its name in the file, and this field under Ballast's name. */
  columnsWith(field: string): Readonly<Record<string, unknown>>;
  /** A text, which becomes one user message, or a conversation. */
  prompt(field: string): Message[];
  /** A conversation, as a list or in HH-RLHF's format. */
  conversation(field: string): Message[];
  /** A text, or a conversation that ends with the assistant's message, as a list or in HH-RLHF's format. */
  answer(field: string): Answer;
  /** Whether a column that is not one of the fields holds a text or a conversation. */
  hasOtherText(): boolean;
  /** The field's name in the file. */
  column(field: string): string;
  /** Rejects the row because a required field is missing. */
  missing(field: string): never;
  readonly fail: Fail;
}

export interface FieldReaderOptions {
  /** The file's names by Ballast's names. */
  readonly fields: Readonly<Record<string, string>>;
  /** Columns that stand in place of the file's. */
  readonly made?: Readonly<Record<string, unknown>>;
  /** Every field that this kind of row has. */
  readonly known: readonly string[];
  /** Whether an answer may be empty: what happens to it is decided when rows are encoded. */
  readonly emptyAnswers?: boolean;
  /** What to do about a missing field. */
  readonly missingHint: () => string;
}

/**
 * Checks the keys of `fields`.
 * @throws UsageError if `fields` renames a field that this kind of row does not have
 */
export function checkFieldNames(fields: Readonly<Record<string, string>>, known: readonly string[]): void {
  for (const name of Object.keys(fields)) {
    if (known.includes(name)) continue;
    throw new UsageError(
      `these rows have no field ${name}, which fields renames${meant(name, known)}`,
      `their fields are ${known.join(", ")}; a field stands before the file's column, as in {prompt: question}`,
    );
  }
}

/** A reader for one row. It throws a RowsError with the row's place for a field that it cannot read. */
export function createFieldReader(
  { place, value: file, numbers, types }: SourceRow,
  { fields, made, known, emptyAnswers = false, missingHint }: FieldReaderOptions,
): FieldReader {
  const row = made ? { ...file, ...made } : file;
  const column = (field: string) => fields[field] ?? field;
  const fail: Fail = (problem, hint, value) => {
    throw new RowsError([{ place, problem, hint, value }]);
  };
  const claimed = Object.values(fields);
  const valueIn = (field: string) => {
    // A column that stands for one field does not also stand for the field of its own name.
    const isClaimed = fields[field] === undefined && claimed.includes(field);
    return !isClaimed && Object.hasOwn(row, column(field)) ? (row[column(field)] ?? null) : null;
  };
  const missing = (field: string): never => {
    const name = column(field);
    const present = Object.keys(row).filter((key) => row[key] !== null);
    const list = present.map((key) => `"${key}"`).join(", ") || "no fields";
    const what = Object.hasOwn(row, name)
      ? `"${name}" is null, which counts as absent`
      : `the field "${name}" is missing`;
    const named = `fields.${field} in the configuration says "${name}"; correct it, or the row`;
    return fail(`${what}; the row has ${list}`, fields[field] === undefined ? missingHint() : named);
  };
  const take = (field: string): unknown => valueIn(field) ?? missing(field);
  const wrongType = (field: string, value: unknown, needed: string): never =>
    fail(
      `"${column(field)}" is ${kindOf(value)}${types?.[column(field)] ? ` (the file declares the column as ${types[column(field)]})` : ""}, ${needed} is needed`,
      notTextHint,
      textOf(value),
    );
  const notBlank = (field: string, text: string) =>
    text.trim() === "" ? fail(`"${column(field)}" is empty`, "fill it in, or leave the row out") : text;
  const turnsOf = (field: string, value: unknown): Message[] | null => {
    const list = messageList(value, column(field), fail);
    if (list) return parseMessages(list, column(field), fail);
    return typeof value === "string" ? parseHumanAssistant(value) : null;
  };
  const answered = (field: string, value: unknown): Answer => {
    const turns = turnsOf(field, value);
    if (turns) return answerOf(turns, column(field), fail);
    return typeof value === "string" ? { history: [], text: value } : wrongType(field, value, "a text");
  };
  return {
    has: (field) => valueIn(field) !== null,
    hasOtherText() {
      const own = known.map(column);
      return Object.entries(row).some(([key, value]) => !own.includes(key) && !isMark(key) && isText(value));
    },
    column,
    text(field) {
      const value = take(field);
      return typeof value === "string" ? notBlank(field, value) : wrongType(field, value, "a text");
    },
    optionalText(field) {
      const value = valueIn(field);
      if (value === null || typeof value === "object") return null;
      return typeof value === "number" ? numbers[column(field)]! : String(value);
    },
    columnsWith: (field) => (column(field) === field ? file : { ...file, [field]: valueIn(field) }),
    prompt(field) {
      const value = take(field);
      const list = messageList(value, column(field), fail);
      if (list) return parseMessages(list, column(field), fail);
      if (typeof value !== "string") return wrongType(field, value, "a text or a list of messages");
      return barePrompt(notBlank(field, value));
    },
    conversation(field) {
      const value = take(field);
      return turnsOf(field, value) ?? wrongType(field, value, "a list of messages");
    },
    answer(field) {
      // Tables export empty cells as null.
      const isNull = valueIn(field) === null && Object.hasOwn(row, column(field));
      const answer = isNull ? { history: [], text: "" } : answered(field, take(field));
      if (answer.text.trim() !== "" || emptyAnswers) return answer;
      const what = answer.history.length > 0 ? `the last message of "${column(field)}"` : `"${column(field)}"`;
      return fail(`${what} is empty`, "fill it in, leave the row out, or set emptyAnswers: skip beside longPrompts");
    },
    missing,
    fail,
  };
}

function isText(value: unknown): boolean {
  return (typeof value === "string" && value.trim() !== "") || Array.isArray(value);
}
