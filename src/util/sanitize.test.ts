/** Nasty model output must not reach the terminal as anything but text. */

import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { printable, printableLine } from "./sanitize.ts";

const cases: [name: string, input: string, expected: string][] = [
  ["colour", "\x1b[31mred\x1b[0m", "red"],
  ["private mode", "a\x1b[?1049hb\x1b[?25lc", "abc"],
  ["clear screen and home", "\x1b[2J\x1b[Hhello", "hello"],
  ["title by OSC and BEL", "\x1b]0;pwned\x07ok", "ok"],
  ["clipboard by OSC 52 and ST", "\x1b]52;c;cm0gLXJm\x1b\\ok", "ok"],
  ["hyperlink by OSC 8", "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\", "click"],
  ["DCS", "\x1bP+q544e\x1b\\x", "x"],
  ["C1 CSI", "\x9b31mred", "red"],
  ["C1 OSC", "\x9d0;title\x9cok", "ok"],
  ["unterminated OSC keeps what follows readable", "\x1b]0;title", "0;title"],
  ["unterminated CSI", "a\x1b[", "a"],
  ["full reset", "\x1bcgone?", "gone?"],
  ["charset switch", "\x1b(0lqqk", "lqqk"],
  ["carriage return that would overwrite", "safe\rEVIL", "safeEVIL"],
  ["windows newline", "a\r\nb", "a\nb"],
  ["backspaces", "abc\b\b\bxyz", "abcxyz"],
  ["bell and NUL", "a\x07b\0c", "abc"],
  ["DEL", "a\x7fb", "ab"],
  ["bidi override", "user\u202etxt.exe\u202c", "usertxt.exe"],
  ["bidi isolates", "\u2066a\u2069", "a"],
  ["line separator", "a\u2028b", "a\nb"],
  ["lone surrogate", "a\ud800b", "a\ufffdb"],
  ["invisible tags", "a\u{e0041}b", "ab"],
  ["sequence made of the remains of another", "\x1b\x1b[31m[31mred", "31mred"],
  ["plain words, accents, CJK and joined emoji stay", "naïve 日本 👩‍🚀", "naïve 日本 👩‍🚀"],
];

describe("printable", () => {
  it.each(cases)("%s", (_, input, expected) => {
    expect(printable(input)).toBe(expected);
  });

  it("leaves no control character or direction mark, whatever comes in, and is idempotent", () => {
    const nasty = fc.constantFrom(
      "\x1b",
      "[",
      "]",
      "P",
      "\\",
      ";",
      "0",
      "m",
      "\x07",
      "\x9b",
      "\x9d",
      "\x9c",
      "\r",
      "\u202e",
    );
    const text = fc.array(fc.oneof(nasty, fc.string({ unit: "binary", maxLength: 4 }))).map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, (value) => {
        const result = printable(value);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the subject
        expect(result).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]/);
        expect(printable(result)).toBe(result);
      }),
      { numRuns: 500 },
    );
  });

  it("keeps one line on one line", () => {
    expect(printableLine("a\nb\u2029c")).toBe("a b c");
  });
});
