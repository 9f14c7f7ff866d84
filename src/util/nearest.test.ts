import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { editDistance, multiplesNear, nearest } from "./nearest.ts";

/** The definition, without the table. */
function slowDistance(a: string, b: string): number {
  if (a === "" || b === "") return a.length + b.length;
  const swap = a.length > 1 && b.length > 1 && a.at(-1) === b.at(-2) && a.at(-2) === b.at(-1);
  return Math.min(
    slowDistance(a.slice(0, -1), b) + 1,
    slowDistance(a, b.slice(0, -1)) + 1,
    slowDistance(a.slice(0, -1), b.slice(0, -1)) + (a.at(-1) === b.at(-1) ? 0 : 1),
    swap ? slowDistance(a.slice(0, -2), b.slice(0, -2)) + 1 : Infinity,
  );
}

it("the edit distance is the slow one", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 6 });
  fc.assert(fc.property(word, word, (a, b) => editDistance(a, b) === slowDistance(a, b)));
});

describe("nearest", () => {
  it.each([
    ["lerningRate", "learningRate"],
    ["learning_rate", "learningRate"],
    ["LEARNINGRATE", "learningRate"],
    ["stpes", "steps"],
    ["kl", "kl"],
    ["learn", "learningRate"],
    ["le", undefined],
    ["xy", undefined],
    ["temperature", undefined],
  ])("%s: %s", (word, expected) => {
    expect(nearest(word, ["learningRate", "steps", "kl", "keep"])).toBe(expected);
  });
});

it("multiples on both sides, never 0", () => {
  expect(multiplesNear(10, 4)).toEqual([8, 12]);
  expect(multiplesNear(3, 4)).toEqual([4]);
});
