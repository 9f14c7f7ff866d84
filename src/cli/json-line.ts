/** JSON for programs that read our output, safe to look at on a terminal as well. */
import { numbersAsWords } from "../util/json-values.ts";

// What JSON leaves as it is and a terminal may act upon: DEL, C1 controls, separators, marks of direction.
const UNSAFE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/**
 * One line; NaN and the infinities as the strings "NaN", "Infinity" and "-Infinity", which plain JSON turns into null.
 * Control characters of every kind are escaped: nothing is lost and nothing acts.
 */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value, numbersAsWords).replace(
    UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
