/** JSON with numbers that are not finite: tagged, for ourselves to read back; as words, for readers that know no NaN. */
import { readFileSync } from "node:fs";
import { CheckpointError, messageOf } from "./errors.ts";

const tag = "$number";

/** Numbers that JSON has no word for are written `{"$number": "NaN"}`. */
export function toJson(value: unknown): string {
  return `${JSON.stringify(
    value,
    (_, x: unknown) => (typeof x === "number" && !Number.isFinite(x) ? { [tag]: String(x) } : x),
    2,
  )}\n`;
}

/** The reverse of `toJson`. Throws SyntaxError for text that is no JSON. */
export function fromJson(text: string): unknown {
  return JSON.parse(text, (_, x: unknown) =>
    typeof x === "object" && x !== null && tag in x ? Number(x[tag as keyof typeof x]) : x,
  );
}

/** Reads a file that Ballast wrote itself. Throws CheckpointError with what to do for one that cannot be read, or is cut short. */
export function readOwnJson(path: string, { remedy }: { readonly remedy: string }): unknown {
  try {
    return fromJson(readFileSync(path, "utf8"));
  } catch (error) {
    throw new CheckpointError(`${path} is damaged: ${messageOf(error)}`, remedy, { cause: error });
  }
}

/** For `JSON.stringify`: NaN and the infinities as the strings "NaN", "Infinity" and "-Infinity", which plain JSON turns into null. */
export function numbersAsWords(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}
