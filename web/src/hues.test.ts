/** Hues of runs: which stay, which move aside. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { apartness, contrast, visions } from "../../test/support/colour-vision.ts";
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

describe("the eight hues", () => {
  const css = readFileSync("web/src/style/theme.css", "utf8");
  const blocks = css.split(":root").slice(1);
  const hues = (block: string) => [...block.matchAll(/--run-\d: (#[0-9a-f]{6})/g)].map((match) => match[1]!);
  const of = (block: string, name: string) => new RegExp(`--${name}: (#[0-9a-f]{6})`).exec(block)![1]!;

  it("stay apart in every pair, in both themes, also without red or without green cones", () => {
    expect(blocks.map((block) => hues(block).length)).toEqual([8, 8, 8]);
    expect(hues(blocks[2]!)).toEqual(hues(blocks[1]!));
    for (const block of blocks) {
      const found = hues(block);
      for (const vision of visions) {
        const pairs = found.flatMap((a, i) => found.slice(i + 1).map((b) => apartness(a, b, vision)));
        expect(Math.min(...pairs), vision).toBeGreaterThan(vision === "normal" ? 20 : 11);
      }
      for (const hue of found)
        for (const ground of ["ground", "raised"]) expect(contrast(hue, of(block, ground))).toBeGreaterThan(4.5);
    }
  });

  it("are measured with a ruler that knows what these eyes confuse", () => {
    // The red and green of equal lightness that protanopes and deuteranopes confuse.
    expect(apartness("#c85a5a", "#6f8f1e", "normal")).toBeGreaterThan(40);
    expect(apartness("#a8713c", "#7d8a3c", "deuteranopia")).toBeLessThan(11);
    expect(apartness("#7ed3a3", "#f2a367", "protanopia")).toBeLessThan(apartness("#7ed3a3", "#f2a367", "normal") / 2);
    expect(apartness("#000000", "#ffffff", "protanopia")).toBeCloseTo(100, 0);
  });
});
