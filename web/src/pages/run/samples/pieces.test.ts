/** Tokens in their text: nothing lost, nothing twice. */
import { describe, expect, it } from "vitest";
import { piecesOf } from "./pieces.ts";

const shown = (response: string, tokens: string[]) =>
  piecesOf(response, tokens).map(({ text, token }) => (token === null ? text : `${token}:${text}`));

describe("piecesOf", () => {
  it("keeps the spaces that a word tokenizer leaves out, and the end mark that the text leaves out", () => {
    expect(shown("yes, people.", ["yes", ",", "people", ".", "<eos>"])).toEqual([
      "0:yes",
      "1:,",
      " ",
      "2:people",
      "3:.",
      "4:<eos>",
    ]);
  });

  it("tokens that hold their spaces leave nothing between them", () => {
    expect(shown("a b  c", ["a", " b", "  c"])).toEqual(["0:a", "1: b", "2:  c"]);
  });

  it("parts of a character stand alone, and the text goes on behind them", () => {
    expect(shown("aé x", ["a", "�", "�", " x"])).toEqual(["0:a", "1:�", "2:�", "é", "3: x"]);
    expect(shown("a � b", ["a", " �", " b"])).toEqual(["0:a", "1: �", "2: b"]);
    expect(shown("", [])).toEqual([]);
  });

  it("what was cut off the tokens is still text", () => {
    expect(shown("a b c", ["a", " b"])).toEqual(["0:a", "1: b", " c"]);
  });

  it("a token is not looked for further on, if it would be another", () => {
    expect(shown("ab", ["x", "b"])).toEqual(["0:x", "1:b", "ab"]);
  });
});
