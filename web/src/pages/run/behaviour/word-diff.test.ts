/** Differences of texts: the parts add up to the texts, and the kept parts are the same in both. */

import { describe, expect, it } from "vitest";
import fc from "../../../../../test/support/property.ts";
import { type Span, wordDiff } from "./word-diff.ts";

const marked = (spans: readonly Span[]) => spans.map(({ text, changed }) => (changed ? `[${text}]` : text)).join("");

describe("wordDiff", () => {
  it("marks the words that are another", () => {
    const { a, b } = wordDiff("sure, i took the red one.", "sure, which red one?");
    expect(marked(a)).toBe("sure, [i took the ]red one[.]");
    expect(marked(b)).toBe("sure, [which ]red one[?]");
  });

  it("has nothing to mark in the same text, and all of it beside nothing", () => {
    expect(wordDiff("a b", "a b")).toEqual({
      a: [{ text: "a b", changed: false }],
      b: [{ text: "a b", changed: false }],
      whole: false,
    });
    expect(wordDiff("", "a b").b).toEqual([{ text: "a b", changed: true }]);
  });

  it("a repeated word is added once, not moved about", () => {
    expect(marked(wordDiff("no no", "no no no").b).match(/\[/g)).toHaveLength(1);
    expect(marked(wordDiff("a b c d", "a x c d").b)).toBe("a [x ]c d");
  });

  it("loses no character, and keeps what is as long as the longest common subsequence", () => {
    const words = fc.array(fc.constantFrom("a ", "b ", "c ", "d "), { maxLength: 9 });
    fc.assert(
      fc.property(words, words, (left, right) => {
        const diff = wordDiff(left.join(""), right.join(""));
        const kept = (spans: readonly Span[]) => spans.flatMap(({ text, changed }) => (changed ? [] : [text])).join("");
        expect(diff.a.map(({ text }) => text).join("")).toBe(left.join(""));
        expect(diff.b.map(({ text }) => text).join("")).toBe(right.join(""));
        expect(kept(diff.a)).toBe(kept(diff.b));
        expect(kept(diff.a).length / 2).toBe(longest(left, right));
      }),
    );
  });

  it("does not compare megabytes word by word", () => {
    const text = (word: string) => `same start ${`${word} `.repeat(100_000)}same end`;
    const { a, whole } = wordDiff(text("x"), text("y"));
    expect(whole).toBe(true);
    expect(a.map(({ changed }) => changed)).toEqual([false, true, false]);
  });
});

function longest([a, ...left]: string[], [b, ...right]: string[]): number {
  if (a === undefined || b === undefined) return 0;
  if (a === b) return 1 + longest(left, right);
  return Math.max(longest(left, [b, ...right]), longest([a, ...left], right));
}
