/** JSON for programs that read our output, which is also safe to print on a terminal. */
import { numbersAsWords } from "../util/json-values.ts";

// Characters that JSON leaves as they are and a terminal may act on: DEL, C1 controls, separators, marks of direction.
const UNSAFE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/**
 * One line of JSON; NaN and the infinities are the strings "NaN", "Infinity" and "-Infinity", which plain JSON turns into null. Control characters of
 * every kind are escaped, so that nothing is lost and nothing acts.
 */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value, numbersAsWords).replace(
    UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
