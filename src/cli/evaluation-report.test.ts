/** The report has every number, keeps to the terminal's width, and shows NaN and infinities as such. */
import pc from "picocolors";
import { describe, expect, it } from "vitest";
import type { Evaluation } from "../types/evaluation.ts";
import { reportLines } from "./evaluation-report.ts";
import { displayWidth } from "./width.ts";

const evaluation: Evaluation = {
  objective: "When a request is ambiguous, prefer asking back over guessing.",
  samples: 1024,
  temperature: 1,
  seed: 1234,
  seenInTraining: false,
  shares: ["refuses"],
  before: {
    folder: "a",
    figures: {
      refuses: { mean: 0.461, low: 0.41, high: 0.513, n: 300, greedy: 0.5, greedyN: 300 },
      reward: { mean: -0.02, low: -0.1, high: 0.06, n: 1024 },
    },
  },
  after: {
    folder: "b",
    figures: {
      klK3Token: { mean: Number.NaN, low: Number.NaN, high: Number.NaN, n: 1024 },
      refuses: { mean: 1, low: 0.989, high: 1, n: 300, greedy: 1, greedyN: 300 },
      reward: { mean: 1.5, low: 1.4, high: 1.6, n: 1024 },
      madeUp: { mean: 3, low: 2, high: 4, n: 5 },
    },
  },
  differences: { refuses: { difference: 0.539, low: 0.49, high: 0.588 } },
  transcripts: [{ kind: "open", prompt: "hi", before: "hello", after: "good day" }],
};
const at = (width: number, changes: Partial<Evaluation> = {}) =>
  reportLines(
    { evaluation: { ...evaluation, ...changes }, notes: ["The reward model judges 92.0% right."] },
    { outColours: pc.createColors(false), outWidth: () => width },
  );

describe("reportLines", () => {
  it("puts the objective on top and is one table if there is room", () => {
    const lines = at(110);
    expect(lines[0]).toBe(evaluation.objective);
    expect(lines.find((line) => line.startsWith("refused"))?.replace(/ +/g, " ")).toBe(
      "refused 46.1% [41.0, 51.3] 50.0% 100.0% [98.9, 100.0] 100.0% +53.9 [+49.0, +58.8]",
    );
    expect(lines.find((line) => line.startsWith("KL"))).toMatch(/–.*NaN \[NaN, NaN\]/);
    expect(lines.find((line) => line.startsWith("madeUp"))).toContain("3.00 [2.00, 4.00]");
    expect(lines).toContain("The reward model judges 92.0% right.");
  });

  it("says how many prompts differ if some are asked more than once", () => {
    const said = (changes: Partial<Evaluation>) => at(300, changes).find((line) => line.includes("samples"));
    expect(said({ distinctPrompts: 172 })).toContain("1024 samples over 172 distinct prompts at temperature 1");
    expect(said({ distinctPrompts: 1024 })).toContain("1024 samples at temperature 1");
    expect(said({})).not.toContain("distinct");
  });

  it("prints no interval if too few prompts were asked for one", () => {
    const none = { low: Number.NaN, high: Number.NaN };
    const lines = at(110, {
      before: { folder: "a", figures: { reward: { mean: 1, ...none, n: 1 } } },
      after: { folder: "b", figures: { reward: { mean: 3, ...none, n: 1 } } },
      differences: { reward: { difference: 2, ...none } },
    });
    expect(
      lines
        .find((line) => line.startsWith("reward"))
        ?.replace(/ +/g, " ")
        .trim(),
    ).toBe("reward 1.00 3.00 +2.00");
  });

  it("parts the differences from the sides if it is narrow", () => {
    const lines = at(80);
    expect(lines.map((line) => line.replace(/ +/g, " "))).toContain("refused +53.9 [+49.0, +58.8]");
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(80);
  });

  it("has one side if there is no model before", () => {
    const lines = at(110, {
      before: null,
      differences: {},
      transcripts: [{ kind: "open", prompt: "hi", before: null, after: "good day" }],
    });
    expect(lines.join("\n")).not.toContain("before");
    expect(lines).toContain("  good day");
  });
});
