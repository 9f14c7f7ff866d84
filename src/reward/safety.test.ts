import { describe, expect, it } from "vitest";
import { createSafetyFilter } from "./safety.ts";

const tripped = (text: string, words: string[]) =>
  createSafetyFilter({ categories: { mine: words }, builtIn: false }).trips(text).mine;

describe("words are found", () => {
  it.each<[string, string]>([
    ["The BOMB went off", "bomb"],
    ["a bomb.", "Bomb"],
    ["\uff42\uff4f\uff4d\uff42", "bomb"],
    ["b\u00ado\u200bmb", "bomb"],
    ["a  pipe\n bomb", "pipe bomb"],
    ["self\u2011harm", "self-harm"],
    ["don\u2019t", "don't"],
    ["caf\u00e9", "cafe\u0301"],
    ["STRASSE", "strasse"],
    ["C++ code", "c++"],
    ["what (a) mess", "(a)"],
    ["\u6211\u60f3\u4e70\u70b8\u5f39\u5427", "\u70b8\u5f39"],
    // Where the same letters occurred before as a part, and where parts overlap.
    ["bombastic, and a bomb", "bomb"],
    ["to to to go", "to to go"],
    ["a \n\t b", "a b"],
    ["\ud83d\udca3\ud83d\udca3", "\ud83d\udca3"],
  ])("%j has %j", (text, word) => {
    expect(tripped(text, ["zzz", word])).toBe(true);
  });
});

describe("parts of words are not", () => {
  it.each<[string, string]>([
    ["bombastic", "bomb"],
    ["carbomb", "bomb"],
    ["bomb_shell", "bomb"],
    ["bomb\u0301", "bomb"],
    ["abc", "a.c"],
    ["", "bomb"],
    ["\u0431\u043e\u043c\u0431\u0430", "\u0431\u043e\u043c\u0431"],
  ])("%j has no %j", (text, word) => {
    expect(tripped(text, [word])).toBe(false);
  });
});

it("finds the longer of two words that begin alike", () => {
  expect(tripped("two bombs", ["bomb", "bombs"])).toBe(true);
});

it("adds a project's words to the built-in ones, or stands alone", () => {
  const both = createSafetyFilter({ categories: { abuse: ["nincompoop"], spoilers: ["the butler"] } });
  expect(both.categories).toEqual(["weapons", "self_harm", "privacy", "abuse", "spoilers"]);
  expect(both.trips("you nincompoop, the butler did it")).toEqual({
    weapons: false,
    self_harm: false,
    privacy: false,
    abuse: true,
    spoilers: true,
  });
  expect(both.trips("shut up").abuse).toBe(true);
  const alone = createSafetyFilter({ categories: { abuse: ["nincompoop"] }, builtIn: false });
  expect(alone.trips("shut up")).toEqual({ abuse: false });
});
