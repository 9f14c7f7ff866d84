/** Hues of runs: which stay, which move aside. */
import { expect, it } from "vitest";
import { colourOf, hueOf, inksOf } from "./hues.ts";

it("runs that differ in their number alone have hues of their own", () => {
  const ids = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `demo-${n}`);
  expect(new Set(ids.map(hueOf)).size).toBe(8);
  expect(inksOf(ids).map(({ colour }) => colour)).toEqual(ids.map(colourOf));
});

it("a run whose hue is taken has the next free one; beyond the eighth lines are dashed", () => {
  const ids = Array.from({ length: 9 }, (_, i) => `run-${i + 1}`);
  const same = inksOf(["a", "a2", "a"].map((id) => id));
  expect(same[0]!.colour).toBe(colourOf("a"));
  expect(new Set(same.map(({ colour }) => colour)).size).toBe(3);
  const inks = inksOf(ids);
  expect(new Set(inks.slice(0, 8).map(({ colour }) => colour)).size).toBe(8);
  expect(inks.map(({ dashed }) => dashed)).toEqual([...new Array(8).fill(false), true]);
  expect(inks[8]!.letter).toBe("I");
});

it("letters go on after Z", () => {
  const letters = inksOf(Array.from({ length: 28 }, (_, i) => `r${i}`)).map(({ letter }) => letter);
  expect(letters.slice(24)).toEqual(["Y", "Z", "AA", "AB"]);
});
