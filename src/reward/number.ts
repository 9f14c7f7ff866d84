/**
 * Numbers in text, as people and models write answers. Each is read completely, as a decimal of any length, or not at all: `$1,234.50`, `-3`, `18
 * apples`, `3/4`, `6.02e23`. docs/data-formats.md has the grammar.
 */
import { unspaced } from "./safety.ts";

const dash = "[\\p{Pd}\\u02d7\\u2043\\u2212]";
/** Dashes that count as a minus if they touch the number; an em dash is punctuation. */
const minus = "[-\\u2010-\\u2013\\u2212]";
const times = "[xX*\\u00d7\\u00b7\\u2219\\u22c5]";
/** Mathematical signs that make numbers part of a formula: all but relations and arrows, and those that have other uses in a text. */
const operator = "(?![+=<>|~\\u2212\\u2190-\\u21ff\\u2234\\u2235\\u223c-\\u228b])\\p{Sm}";
/** Replaces what may stand at a number and is not read: roots, pi, LaTeX commands, indices, encircled digits. */
const unread = "\ufffd";
const amount = "(?:(?<![\\p{L}\\p{N}.])\\.)?\\p{N}+(?:[.,:'\\u2019\\u02bc\\u2032\\u060c\\u066b\\u066c_]+\\p{N}+)*";

/** What joins an amount to the one before it. */
const joints = [
  // A dash, a plus or asterisks with a space on one side only may be the sign of the next number or bold type.
  `[%\\u2030\\u00b0]? *(?:[\\/\\u00b7\\u2022\\\\]|${operator}|\\^)+ *(?:\\+|${minus})?(?:\\p{Sc} ?)?`,
  `[%\\u2030\\u00b0]?(?:(?:${dash}|\\+)+ *| +(?:${dash}|\\+)+ +|\\*+| +\\*+ +|~)(?:${minus}|\\+)?(?:\\p{Sc} ?)?`,
  `\\.?[eE] ?(?:\\+|${minus}|\\^)* ?`,
  " +[xX] +",
  // A code or measures in one word: 0b11, 4x4, 5h30.
  `(?:(?!${unspaced})\\p{L})+`,
  // Groups of three digits separated by spaces, which may or may not be one number; the whole part of a mixed fraction.
  "(?<=(?<![\\d.,/])\\d{1,3}) +(?=\\p{N}{3}(?!\\p{N}))",
  "(?<=(?<![\\d.,/])\\d+) (?=\\d+ ?\\/ ?\\d)",
];

/** Everything attached to digits, number or not. */
const runPattern = new RegExp(
  `0[xXbBoO][\\da-fA-F]+|(?:(?<!${dash})(?:${dash}|[\\u00b1\\u2213])+ *)?(?:\\p{Sc} ?)?${dash}?${amount}(?:(?:${joints.join("|")})${amount})*`,
  "gu",
);

/** Ten to 10^12 as Chinese, Japanese and Korean write them. */
const numerals = "[\\u5341\\u767e\\u5343\\u4e07\\u842c\\u4ebf\\u5104\\u5146\\ubc31\\ucc9c\\ub9cc\\uc5b5\\uc870]";

/** What turns the number before it into a different one, in ways that are not read. */
const tail = new RegExp(
  `^(?:${[
    `[)\\]}]* *(?:\\^|${unread})`,
    `\\.?${unread}`,
    "\\p{M}",
    "\\.?[([{]+\\.?\\p{N}",
    // An operation on brackets, and a bracket's with a number.
    `(?: *(?:${operator}|\\/)|${dash}|\\+|\\*| +(?:${dash}|[+*]) +) *[([{|][([{| ]*\\.?\\p{N}`,
    `[)\\]}]+ *(?:${operator}|\\/) *[([{]*\\p{N}`,
    "[}{ ]*\\{\\p{N}",
    "\\}\\p{N}",
    "(?:[kKmMbB]|[bBmMtT][nN])(?![\\p{L}\\p{N}])",
    "[ ({]+(?:[kKMB]|bn|mn|tn)(?![\\p{L}\\p{N}&'\\u2019])",
    ` *${numerals}`,
  ].join("|")})`,
  "u",
);
const magnitude = new RegExp(
  `^(?:[ ({]*|${dash})(?:hundred|thousand|lakh|lac|crore|[mbtr]illi(?:on|ard)|quadrillion|[mbt]ln|trn)s?(?!\\p{L})`,
  "iu",
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
const operand = `(?:(?!${unspaced})[\\p{L}\\p{M}\\p{N}]|[)\\]}%\\u00b0])`;
const startsWithDash = new RegExp(`^${dash}`, "u");
const tiedByDash = new RegExp(`${operand}$`, "u");
/** A word that goes on in digits: H2O, x1. A currency's sign may follow letters: US$5. */
const startsWithDigit = /^[\p{N}.]/u;
const tiedToWord = new RegExp(`(?:(?!${unspaced})[\\p{L}\\p{M}]|${numerals})$`, "u");
const tied = new RegExp(
  `(?:${[
    `${operand}(?:[\\^_\\/\\u00b7\\u2022+\\\\]+|\\*{1,2}| +(?:\\*{1,2}|\\+) +)[([{|]*`,
    `(?:\\/|${operand} +${dash}) *[([{|][([{| ]*`,
    `(?:${unread}[\\^_]?|${operator} *)[([{|]*`,
    "[\\p{N}}] *\\{",
    "\\p{N}\\.?[([{]+",
    "[^ ]\\}",
    // A sign with brackets, bold type or quotation marks between it and the number.
    `(?:${dash}|[\\u00b1\\u2213])[+([{|*_\`"'\\u2018\\u201c]+(?:\\p{Sc} ?)?`,
  ].join("|")})$`,
  "u",
);
/** No attachment that these patterns name needs more characters. */
const nearby = 24;

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
    const before = plain.slice(Math.max(0, index - nearby), index);
    const after = plain.slice(index + run.length, index + run.length + nearby);
    const attached =
      tied.test(before) ||
      (startsWithDash.test(run) && tiedByDash.test(before)) ||
      (startsWithDigit.test(run) && tiedToWord.test(before)) ||
      tail.test(after) ||
      magnitude.test(after) ||
      (/^\p{Sc}/u.test(run) && /^ m(?!\p{L})/u.test(after));
    return attached ? null : readingOf(run.trim());
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

const part = "(?: *\\{ *([-+]?[\\d.,]+) *\\}| *(\\d))";
const fraction = new RegExp(`\\\\[cdt]?frac${part}${part}`, "g");
/** LaTeX's commands that leave the number beside them what it is: type, space and layout. */
const neutral =
  /\\(?:text[a-z]*|math[a-z]*|boxed|fbox|hbox|mbox|q?quad|left|right|[bB]igg?[lr]?|displaystyle|begin|end|item|hline|newline|[cl]?dots|circ|degree|square)(?![a-zA-Z])/g;
const relation =
  /\\(?:approx|sim|equiv|leq?|geq?|neq?|l|g|lt|gt|to|implies|iff|therefore|because|(?:long)?(?:left|right|Left|Right)+arrow|Long(?:left|right)+arrow)(?![a-zA-Z])/g;

/** Replaces alternative spellings: superscripts, single-character fractions, thin spaces between thousands, LaTeX, NFKC. */
function plainText(text: string): string {
  return (
    text
      .replaceAll(/\p{DI}/gu, "")
      .replaceAll(/[\u2070\u00b9\u00b2\u00b3\u2074-\u207b]+/gu, "^$&")
      .replaceAll(/(\d)(?=[\u00bc-\u00be\u2150-\u215f\u2189])/gu, "$1 ")
      .replaceAll(
        /(?![\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u207b\u2150-\u215f\u2189])\p{No}+/gu,
        `${unread}$&${unread}`,
      )
      .replaceAll(/(\d)(?:[\u00a0\u2009\u202f]|,?\\[,;:! ]|\{,\})(?=\d{3}(?!\d))/gu, "$1,")
      // A full-width comma before three digits may separate thousands or clauses.
      .replaceAll(/(\p{N})\uff0c(?=\p{N}{3}(?!\p{N}))/gu, "$1\u066c")
      .replaceAll(/[\uff0c\uff1b]/gu, "$& ")
      .normalize("NFKC")
      .replaceAll(/[^\S\n\r]/gu, " ")
      .replaceAll(/[\u2044\u2215]/g, "/")
      .replaceAll(/(\d) *(?=\\[cdt]?frac)/g, "$1 ")
      .replaceAll(fraction, "$1$2/$3$4")
      .replaceAll(/\^\{([^{}]*)\}/g, "^$1")
      .replaceAll(/_\{/g, `${unread}{`)
      .replaceAll(/\\(?:times|cdot)(?![a-zA-Z]) */g, "\u00d7")
      .replaceAll(/\^(?:\{\\circ\}|\\circ(?![a-zA-Z]))/g, "\u00b0")
      .replaceAll(neutral, "")
      .replaceAll(relation, "=")
      .replaceAll(/\\[a-zA-Z]+ *(?:\[[^[\]]{0,20}\] *)?|[\u221a-\u221c] *|\u03c0/g, unread)
      .replaceAll(/\\([$%])/g, "$1")
  );
}
