/** Columns, not characters: wide characters, combining marks, joined emoji, colours. */

import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { cut, displayWidth, padEnd, padStart, wrap } from "./width.ts";

describe("displayWidth", () => {
  it.each([
    ["abc", 3],
    ["", 0],
    ["日本", 4],
    ["e\u0301", 1],
    ["👩‍🚀", 2],
    ["\x1b[31mred\x1b[39m", 3],
    ["━━─", 3],
    ["naïve", 5],
  ])("%j takes %i columns", (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });
});

describe("cut", () => {
  it("keeps what fits and marks what does not", () => {
    expect(cut("hello", 5)).toBe("hello");
    expect(cut("hello!", 5)).toBe("hell…");
    expect(cut("日本語", 5)).toBe("日本…");
    expect(cut("日本語", 4)).toBe("日…");
    expect(cut("abc", 0)).toBe("");
  });
});

describe("padding", () => {
  it("counts columns", () => {
    expect(padEnd("日", 4)).toBe("日  ");
    expect(padStart("7", 3)).toBe("  7");
    expect(padStart("1234", 3)).toBe("1234");
  });
});

describe("wrap", () => {
  it("breaks between words and keeps paragraphs", () => {
    expect(wrap("one two three", 7)).toEqual(["one two", "three"]);
    expect(wrap("a\nb", 7)).toEqual(["a", "b"]);
    expect(wrap("", 7)).toEqual([""]);
  });

  it("breaks a word that is wider than a line", () => {
    expect(wrap("abcdefgh ij", 3)).toEqual(["abc", "def", "gh", "ij"]);
  });

  it("never exceeds the width and loses no letter", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 })), fc.integer({ min: 2, max: 30 }), (words, width) => {
        const text = words.join(" ");
        const lines = wrap(text, width);
        for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
        expect(lines.join("").replace(/ /g, "")).toBe(text.replace(/ /g, ""));
      }),
    );
  });
});
