/**
 * Numbers in text, as people and models write answers. Each is read completely, as a decimal of any length, or not at all: `$1,234.50`, `-3`, `18
 * apples`, `3/4`, `6.02e23`. docs/data-formats.md has the grammar.
 */
import { unspaced } from "./safety.ts";

const dash = "[-\\u2010-\\u2015\\u2212]";
/** Dashes that count as a minus if they touch the number; an em dash is punctuation. */
const minus = "[-\\u2010-\\u2013\\u2212]";
const times = "[xX*\\u00d7\\u00b7\\u22c5]";
const amount = "(?:(?<![\\p{L}\\p{N}.])\\.)?\\d+(?:[.,:'\\u2019_]+\\d+)*";

/** What joins an amount to the one before it. */
const joints = [
  ` *(?:\\/|\\^|\\*\\*) *${minus}?`,
  // A dash with a space only before it is the sign of the next number.
  `[%\\u2030\\u00b0]?(?:${dash}+ *| +${dash}+ +)(?:\\p{Sc} ?)?`,
  `[eE](?:\\+|${minus})?`,
  ` *${times} *(?=10 ?\\^)`,
  // Groups of three digits separated by a space, which may or may not be one number; the whole part of a mixed fraction.
  "(?<=(?<![\\d.,/])\\d{1,3}) (?=\\d{3}(?!\\d))",
  "(?<=(?<![\\d.,/])\\d+) (?=\\d+ ?\\/ ?\\d)",
];

/** What turns the preceding number into a different one, in ways that are not read. */
const tails = [
  " ?\\^",
  "[\\u221a\\u03c0]",
  "(?:[kKMB]|bn|mn)(?![\\p{L}\\d])",
  " ?(?:hundred|thousand|million|billion|trillion)s?(?!\\p{L})",
];

/** Everything attached to digits, number or not. */
const runPattern = new RegExp(
  `0[xX][\\da-fA-F]+|(?:(?:${dash}|[\\u00b1\\u2213])+ *)?(?:\\p{Sc} ?)?${dash}?${amount}(?:(?:${joints.join("|")})${amount})*(?:${tails.join("|")})?`,
  "gu",
);

/** Digits without separators, with those of thousands (India's too), or with Swiss or programmers' ones. */
const digits =
  "(?:\\d{1,3}(?:,\\d{3})+|\\d{1,2}(?:,\\d{2})+,\\d{3}|\\d{1,3}(?:['\\u2019]\\d{3})+|\\d{1,3}(?:_\\d{3})+|\\d+)";
const power = `(?:\\+|${minus})?\\d{1,15}`;

const numberPattern = new RegExp(
  `^(?<sign>${minus})?(?:\\p{Sc} ?)?(?<innerSign>${minus})?(?:(?<whole>\\d+) )?` +
    `(?:(?<top>(?:${digits}(?:\\.\\d+)?|\\.\\d+))(?:[eE](?<exponent>${power})| *${times} *10 ?\\^ *(?<scale>${power}))?|10 ?\\^ *(?<ten>${power}))` +
    `(?: *\\/ *(?<bottom>(?:${digits}(?:\\.\\d+)?|\\.\\d+)))?$`,
  "u",
);

/** A letter, digit or bracket that a dash, a slash, `^` or `_` joins to the number after it; not in scripts without spaces. */
const operand = `(?:(?!${unspaced})[\\p{L}\\p{N}]|[)\\]}%\\u00b0])`;
const tiedByDash = new RegExp(`${operand}$`, "u");
const startsWithDash = new RegExp(`^${dash}`, "u");
const tied = new RegExp(`${operand}[\\^_\\/]$|\\u221a$`, "u");

/** Most digits in a fraction's two parts that are still divided, so that an absurd fraction costs no time. */
const longestFraction = 1000;

/** Every number in a text, in order, each in one canonical form: `-1234.5`, `1/3`. */
export function numbersIn(text: string): string[] {
  return readingsOf(text).filter((value) => value !== null);
}

/**
 * The answer in a text: what follows the last `marker` (GSM8K ends in `#### 72`), else, unless the marker is required, the last number. null if there
 * is none, or if what follows the marker is not a number (`#### 12:30`).
 */
export function answerIn(
  text: string,
  { marker, requireMarker }: { marker: string; requireMarker: boolean },
): string | null {
  const at = marker === "" ? -1 : text.lastIndexOf(marker);
  const marked = at < 0 ? undefined : readingsOf(text.slice(at + marker.length))[0];
  if (marked !== undefined || requireMarker) return marked ?? null;
  return numbersIn(text).at(-1) ?? null;
}

/** The value of each run of digits: a number, or null. */
function readingsOf(text: string): (string | null)[] {
  const plain = plainText(text);
  return [...plain.matchAll(runPattern)].map(({ 0: run, index }) => {
    const before = plain.slice(Math.max(0, index - 2), index);
    return tied.test(before) || (startsWithDash.test(run) && tiedByDash.test(before)) ? null : readingOf(run.trim());
  });
}

function readingOf(run: string): string | null {
  const parts = numberPattern.exec(run)?.groups;
  if (!parts) return null;
  const { sign, innerSign, whole, top = "1", bottom, exponent = parts.scale ?? parts.ten ?? "0" } = parts;
  if (sign !== undefined && innerSign !== undefined) return null;
  const negative = sign !== undefined || innerSign !== undefined;
  const [upper, lower] = [decimalOf(top), decimalOf(bottom ?? "1")];
  const shift = Number(exponent.replace(new RegExp(minus, "u"), "-")) - upper.places + lower.places;
  if (bottom === undefined) return whole === undefined ? canonical(upper.digits, { shift, negative }) : null;
  if (upper.digits.length + lower.digits.length > longestFraction) return null;
  let [numerator, denominator] = [BigInt(upper.digits), BigInt(lower.digits)];
  if (denominator === 0n) return null;
  if (whole !== undefined) {
    // 2 3/4 is one number; 5 48/2 is two.
    if (shift !== 0 || whole.length > longestFraction || numerator >= denominator) return null;
    numerator += BigInt(whole) * denominator;
  }
  return quotient(numerator, denominator, { shift, negative });
}

function decimalOf(text: string): { digits: string; places: number } {
  const [integer = "", fraction = ""] = text.replaceAll(/[,'\u2019_]/g, "").split(".");
  return { digits: integer + fraction, places: fraction.length };
}

/** A reduced fraction, or a decimal if it has a finite one. */
function quotient(top: bigint, bottom: bigint, { shift, negative }: { shift: number; negative: boolean }): string {
  let [a, b] = [top, bottom];
  while (b !== 0n) [a, b] = [b, a % b];
  let [upper, lower, places] = [top / a, bottom / a, shift];
  for (const [factor, other] of [
    [2n, 5n],
    [5n, 2n],
  ] as const)
    for (; lower % factor === 0n; places--) [upper, lower] = [upper * other, lower / factor];
  return canonical(String(upper), { shift: places, negative }) + (lower === 1n ? "" : `/${lower}`);
}

/** digits x 10^shift as text, never through a float: 0.30 equals .3, and different long numbers stay different. */
function canonical(digits: string, { shift, negative }: { shift: number; negative: boolean }): string {
  const long = digits.replace(/^0+/, "");
  const mantissa = long.replace(/0+$/, "");
  if (mantissa === "") return "0";
  const zeros = shift + long.length - mantissa.length;
  const sign = negative ? "-" : "";
  // Written out within readable limits; beyond them, an exponent could need more memory than there is.
  if (Math.abs(zeros) > 10_000) return `${sign}${mantissa}e${zeros}`;
  if (zeros >= 0) return sign + mantissa + "0".repeat(zeros);
  const padded = mantissa.padStart(1 - zeros, "0");
  return `${sign}${padded.slice(0, zeros)}.${padded.slice(zeros)}`;
}

/** Replaces alternative spellings: superscripts, single-character fractions, thin spaces between thousands, LaTeX, NFKC. */
function plainText(text: string): string {
  return text
    .replaceAll(/[\u2070\u00b9\u00b2\u00b3\u2074-\u207b]+/gu, "^$&")
    .replaceAll(/[\u2080-\u208b]+/gu, "_$&")
    .replaceAll(/(\d)(?=[\u00bc-\u00be\u2150-\u215f])/gu, "$1 ")
    .replaceAll(/(\d)(?:[\u00a0\u2009\u202f]|\\[,;!]|\{,\})(?=\d{3}(?!\d))/gu, "$1,")
    .replaceAll(/[\uff0c\uff1b]/gu, "$& ")
    .normalize("NFKC")
    .replaceAll("\u2044", "/")
    .replaceAll(/(\d) *(?=\\[dt]?frac)/g, "$1 ")
    .replaceAll(/\\[dt]?frac *\{([^{}]*)\} *\{([^{}]*)\}/g, "$1/$2")
    .replaceAll(/\\[dt]?frac *(\d) *(\d)/g, "$1/$2")
    .replaceAll(/([\^_])\{([^{}]*)\}/g, "$1$2")
    .replaceAll(/\\(?:times|cdot)(?![a-z]) */g, "\u00d7")
    .replaceAll(/\\sqrt *\{?/g, "\u221a")
    .replaceAll(/\\pi(?![a-z])/g, "\u03c0")
    .replaceAll(/\\([$%])/g, "$1");
}
