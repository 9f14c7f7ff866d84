/** The safety filter: words and phrases by category, found as whole words without regard to case or spelling in Unicode. */
import { builtInWords } from "./safety-words.ts";

export interface SafetyFilter {
  readonly categories: readonly string[];
  /** The words of a category that a text has are not told apart: it trips the category or not. */
  trips(text: string): Record<string, boolean>;
}

export interface SafetyOptions {
  readonly categories?: Readonly<Record<string, readonly string[]>>;
  /** Add the built-in lists. Default true. */
  readonly builtIn?: boolean;
}

/**
 * @example
 * createSafetyFilter({ categories: { spoilers: ["the butler"] } }).trips("The Butler did it").spoilers // true
 */
export function createSafetyFilter({ categories = {}, builtIn = true }: SafetyOptions = {}): SafetyFilter {
  const lists = new Map<string, string[]>();
  for (const source of [builtIn ? builtInWords : {}, categories]) {
    for (const [category, words] of Object.entries(source))
      lists.set(category, [...(lists.get(category) ?? []), ...words]);
  }
  const patterns = [...lists].map(([category, words]) => [category, patternOf(words)] as const);
  return {
    categories: [...lists.keys()],
    trips(text) {
      const plain = plainText(text);
      return Object.fromEntries(patterns.map(([category, words]) => [category, words.test(plain)]));
    },
  };
}

function patternOf(words: readonly string[]): RegExp {
  return new RegExp(words.map(wordPattern).join("|"), "u");
}

/** A character of a script written without spaces, which has no whole words to look for. */
export const unspaced =
  "[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}]";
const startsUnspaced = new RegExp(`^${unspaced}`, "u");
const endsUnspaced = new RegExp(`${unspaced}$`, "u");

function wordPattern(word: string): string {
  const plain = plainText(word);
  const inner = plain.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  const before = startsUnspaced.test(plain) ? "" : "(?<![\\p{L}\\p{M}\\p{N}_])";
  const after = endsUnspaced.test(plain) ? "" : "(?![\\p{L}\\p{M}\\p{N}_])";
  return `${before}${inner}${after}`;
}

/** Compatibility forms made one, invisible characters dropped, spaces and apostrophes of all kinds made one. */
function plainText(text: string): string {
  return text
    .normalize("NFKC")
    .replaceAll(/\p{Cf}/gu, "")
    .toLowerCase()
    .replaceAll(/[\u2018\u2019\u02bc]/g, "'")
    .replaceAll(/[\u2010\u2011]/g, "-")
    .replaceAll(/\s+/gu, " ")
    .trim();
}
