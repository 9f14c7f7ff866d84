/** JSON in which numbers that are not finite stand as words, for readers that know no NaN. */

/** For `JSON.stringify`: NaN and the infinities as the strings "NaN", "Infinity" and "-Infinity", which plain JSON turns into null. */
export function numbersAsWords(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}
