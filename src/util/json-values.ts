/** JSON with numbers that are not finite: tagged for Ballast to read back, or as words for readers without NaN. */
import { readFileSync } from "node:fs";
import { CheckpointError, messageOf } from "./errors.ts";

const tag = "$number";

/** JSON text in which numbers that JSON cannot express are written `{"$number": "NaN"}`. */
export function toJson(value: unknown): string {
  return `${JSON.stringify(
    value,
    (_, x: unknown) => (typeof x === "number" && !Number.isFinite(x) ? { [tag]: String(x) } : x),
    2,
  )}\n`;
}

/** The reverse of `toJson`. Throws SyntaxError if the text is not JSON. */
export function fromJson(text: string): unknown {
  return JSON.parse(text, (_, x: unknown) =>
    typeof x === "object" && x !== null && tag in x ? Number(x[tag as keyof typeof x]) : x,
  );
}

/** Reads a file that Ballast wrote itself. Throws CheckpointError with the remedy if the file cannot be read or is truncated. */
export function readOwnJson(path: string, { remedy }: { readonly remedy: string }): unknown {
  try {
    return fromJson(readFileSync(path, "utf8"));
  } catch (error) {
    throw new CheckpointError(`${path} is damaged: ${messageOf(error)}`, remedy, { cause: error });
  }
}

/**
 * Replacer for `JSON.stringify`: writes NaN and the infinities as the strings "NaN", "Infinity" and "-Infinity", which plain JSON turns
 * into null.
 */
export function numbersAsWords(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}
