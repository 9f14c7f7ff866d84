/** Taking typed fields out of a row, and saying precisely what is wrong with one that cannot be taken. */
import type { Message } from "../text/index.ts";
import { DataError, UsageError } from "../util/errors.ts";
import type { JsonlRow } from "./jsonl.ts";

/** One row of a file, under the names that the configuration's `fields` gives its fields. */
export interface FieldReader {
  has(field: string): boolean;
  /** A text that is not blank. */
  text(field: string): string;
  /** A text or a number as text; null where it is null, or where the row lacks it and the configuration does not name it. */
  optionalText(field: string): string | null;
  /** A text, or a conversation whose last message is the assistant's: that message's text. */
  completion(field: string): string;
  /** A text, which becomes one message of the user's, or a conversation. */
  prompt(field: string): Message[];
  messages(field: string): Message[];
  fail(problem: string, hint: string): never;
}

/** @throws UsageError where `fields` renames a field that this kind of rows does not have */
export function checkFieldNames(fields: Readonly<Record<string, string>>, known: readonly string[]): void {
  for (const name of Object.keys(fields)) {
    if (known.includes(name)) continue;
    throw new UsageError(
      `fields.${name} renames a field that these rows do not have`,
      `the names to the left of the colon are Ballast's, of ${known.join(", ")}; those to the right are the file's`,
    );
  }
}

/** @param known the names that this kind of rows has, so that a suggestion is none of them */
export function createFieldReader(
  path: string,
  row: JsonlRow,
  { fields, known }: { fields: Readonly<Record<string, string>>; known: readonly string[] },
): FieldReader {
  const nameInFile = (field: string) => fields[field] ?? field;
  const fail = (problem: string, hint: string): never => {
    throw new DataError(`${path}:${row.line}: ${problem}`, hint);
  };
  const take = (field: string) => {
    const name = nameInFile(field);
    if (Object.hasOwn(row.value, name)) return row.value[name];
    const present = Object.keys(row.value);
    const taken = [...known, ...Object.values(fields)];
    const unused = present.find((key) => !taken.includes(key));
    const list = present.map((key) => `"${key}"`).join(", ");
    return fail(
      `the field "${name}" is missing; the row has ${list || "no fields"}`,
      fields[field] === undefined
        ? `if it has another name in the file, say so in the configuration: fields: {${field}: ${unused ?? "name_in_the_file"}}`
        : `fields.${field} in the configuration says "${name}"; correct it, or the row`,
    );
  };
  const wrongType = (field: string, value: unknown, needed: string): never =>
    fail(`"${nameInFile(field)}" is ${describe(value)}, ${needed} is needed`, "correct the row, or leave it out");
  const notBlank = (field: string, text: string) =>
    text.trim() === "" ? fail(`"${nameInFile(field)}" is empty`, "fill it in, or leave the row out") : text;

  const messages = (field: string): Message[] => {
    const value = take(field);
    if (!Array.isArray(value)) return wrongType(field, value, "a list of messages");
    if (value.length === 0) return fail(`"${nameInFile(field)}" has no messages`, "fill it in, or leave the row out");
    return value.map((entry, index) => {
      const { role, content } = (entry ?? {}) as Record<string, unknown>;
      if ((role === "system" || role === "user" || role === "assistant") && typeof content === "string") {
        return { role, content };
      }
      return fail(
        `message ${index + 1} of "${nameInFile(field)}" is ${JSON.stringify(entry).slice(0, 80)}`,
        'a message is {"role": "system", "user" or "assistant", "content": "text"}',
      );
    });
  };
  return {
    has: (field) => Object.hasOwn(row.value, nameInFile(field)),
    text(field) {
      const value = take(field);
      return typeof value === "string" ? notBlank(field, value) : wrongType(field, value, "a text");
    },
    optionalText(field) {
      if (fields[field] === undefined && !Object.hasOwn(row.value, field)) return null;
      const value = take(field);
      if (value === null || typeof value === "string") return value;
      return typeof value === "number" ? String(value) : wrongType(field, value, "a text or a number");
    },
    completion(field) {
      const value = take(field);
      if (!Array.isArray(value)) {
        return typeof value === "string" ? notBlank(field, value) : wrongType(field, value, "a text");
      }
      const last = messages(field).at(-1)!;
      if (last.role === "assistant") return notBlank(field, last.content);
      return fail(`the last message of "${nameInFile(field)}" is the ${last.role}'s`, "it must be the assistant's");
    },
    prompt(field) {
      const value = take(field);
      if (Array.isArray(value)) return messages(field);
      if (typeof value !== "string") return wrongType(field, value, "a text or a list of messages");
      return [{ role: "user", content: notBlank(field, value) }];
    },
    messages,
    fail,
  };
}

function describe(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : `${typeof value === "object" ? "an" : "a"} ${typeof value}`;
}
