import { expect, it } from "vitest";
import type { Said } from "../../../../../src/types/page.ts";
import { replayRows } from "./replay-diff.ts";

const said = (iteration: number, rule: string, more: Partial<Said> = {}): Said => ({
  iteration,
  rule,
  kind: "said",
  text: `${rule} at ${iteration}`,
  acted: false,
  step: null,
  ...more,
});

it("pairs what a rule said in one iteration, and shows what only one side has", () => {
  const recorded = [said(3, "kl"), said(5, "kl", { acted: true }), said(9, "entropy")];
  const replayed = [said(2, "kl"), said(3, "kl"), said(5, "kl")];
  const rows = replayRows({ recorded, replayed });
  expect(rows.map(({ iteration, was, now, isSame }) => [iteration, was !== null, now !== null, isSame])).toEqual([
    [2, false, true, false],
    [3, true, true, true],
    [5, true, true, false],
    [9, true, false, false],
  ]);
});

it("keeps apart steps of one iteration, and what was said from how it ended", () => {
  const recorded = [said(3, "kl", { step: 0 }), said(3, "kl", { step: 1 }), said(3, "kl", { kind: "outcome" })];
  const replayed = [said(3, "kl", { step: 1 })];
  expect(replayRows({ recorded, replayed }).map(({ isSame }) => isSame)).toEqual([false, true, false]);
});

it("keeps every entry of a rule that says two things at one place", () => {
  const recorded = [said(3, "kl", { text: "one" }), said(3, "kl", { text: "two" })];
  expect(replayRows({ recorded, replayed: recorded })).toHaveLength(2);
});
