/** Numbers in text, as people and models write answers: `$1,234.50`, `-3`, `18 apples`, `#### 72`. */

/**
 * A sign, if nothing that it could be subtracted from stands before it; a currency; digits with or without thousands
 * separators; a fraction.
 */
const numberPattern =
  /((?<![\p{L}\p{N})\]}])[-\u2212])?(?:[$€£¥](-)?)?((?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)/gu;

/** Every number of a text, in order, each in canonical decimal form: `-1234.5`. */
export function numbersIn(text: string): string[] {
  return [...text.normalize("NFKC").matchAll(numberPattern)].map(([, sign, innerSign, digits]) =>
    canonical(digits as string, sign !== undefined || innerSign !== undefined),
  );
}

/** As text, not as float: 0.30 equals .3, and no two long numbers are the same that differ. */
function canonical(digits: string, negative: boolean): string {
  const [whole = "", fraction = ""] = digits.replaceAll(",", "").split(".");
  const integer = whole.replace(/^0+(?=\d)/, "") || "0";
  const decimals = fraction.replace(/0+$/, "");
  const value = decimals === "" ? integer : `${integer}.${decimals}`;
  return negative && value !== "0" ? `-${value}` : value;
}

/**
 * The answer in a text: the first number after the last `marker` (GSM8K ends in `#### 72`), else, unless the marker is
 * required, the last number of all. Null where there is none.
 */
export function answerIn(
  text: string,
  { marker, requireMarker }: { marker: string; requireMarker: boolean },
): string | null {
  const at = marker === "" ? -1 : text.lastIndexOf(marker);
  const marked = at < 0 ? undefined : numbersIn(text.slice(at + marker.length))[0];
  if (marked !== undefined || requireMarker) return marked ?? null;
  return numbersIn(text).at(-1) ?? null;
}
