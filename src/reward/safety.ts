/** The safety filter: words and phrases by category, matched as whole words ignoring case and Unicode spelling. */
import { builtInWords } from "./safety-words.ts";

export interface SafetyFilter {
  readonly categories: readonly string[];
  /** Whether a text trips each category; which of its words occurs is not reported. */
  trips(text: string): Record<string, boolean>;
}

export interface SafetyOptions {
  readonly categories?: Readonly<Record<string, readonly string[]>>;
  /** Whether to add the built-in lists; true by default. */
  readonly builtIn?: boolean;
}

/**
 * Makes a safety filter.
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
  const anyWord = new RegExp([...lists.values()].flat().map(literal).join("|") || "(?!)", "g");
  return {
    categories: [...lists.keys()],
    trips(text) {
      const plain = plainText(text);
      const trips = Object.fromEntries(patterns.map(([category]) => [category, false]));
      // A search for letters only is twenty times as fast as one that looks at the edges of words at every place.
      anyWord.lastIndex = 0;
      for (let found = anyWord.exec(plain); found; found = anyWord.exec(plain)) {
        for (const [category, words] of patterns) {
          words.lastIndex = found.index;
          trips[category] ||= words.test(plain);
        }
        // Words overlap.
        anyWord.lastIndex = found.index + 1;
      }
      return trips;
    },
  };
}

function literal(word: string): string {
  return plainText(word).replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

/**
 * One pattern for all words, for a place where one may begin. Its classes of letters are compiled once for each kind of edge, not for each word, which
 * would take a second.
 */
function patternOf(words: readonly string[]): RegExp {
  const byEdges = new Map<string, { readonly before: string; readonly after: string; readonly inner: string[] }>();
  for (const word of words) {
    const plain = plainText(word);
    const before = startsUnspaced.test(plain) ? "" : "(?<![\\p{L}\\p{M}\\p{N}_])";
    const after = endsUnspaced.test(plain) ? "" : "(?![\\p{L}\\p{M}\\p{N}_])";
    const same = byEdges.get(`${before} ${after}`) ?? { before, after, inner: [] };
    same.inner.push(literal(word));
    byEdges.set(`${before} ${after}`, same);
  }
  const patterns = [...byEdges.values()].map(({ before, after, inner }) => `${before}(?:${inner.join("|")})${after}`);
  return new RegExp(patterns.join("|"), "uy");
}

/** Matches a character of a script written without spaces, which has no whole words to look for. */
export const unspaced =
  "[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}]";
const startsUnspaced = new RegExp(`^${unspaced}`, "u");
const endsUnspaced = new RegExp(`${unspaced}$`, "u");

/** Unifies compatibility forms, drops invisible characters, and unifies all kinds of spaces and apostrophes; single spaces, most of a text, are not touched. */
function plainText(text: string): string {
  return text
    .normalize("NFKC")
    .replaceAll(/\p{Cf}/gu, "")
    .toLowerCase()
    .replaceAll(/[\u2018\u2019\u02bc]/g, "'")
    .replaceAll(/[\u2010\u2011]/g, "-")
    .replaceAll(/[^\S ]\s*| \s+/gu, " ")
    .trim();
}
