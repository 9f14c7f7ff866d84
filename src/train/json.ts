/** JSON that keeps NaN and the infinities, which plain JSON turns into null. */

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
