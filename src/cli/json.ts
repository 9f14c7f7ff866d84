/** JSON for programs that read our output: a number JSON has no word for is written as a word, never as null. */

/** One line; NaN and the infinities as the strings "NaN", "Infinity" and "-Infinity". */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value, (_, x: unknown) => (typeof x === "number" && !Number.isFinite(x) ? String(x) : x));
}
