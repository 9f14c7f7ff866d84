/** The report holds every number, keeps to the terminal's width, and shows what is not a number as such. */
import pc from "picocolors";
import { describe, expect, it } from "vitest";
import { type Report, reportLines } from "./report.ts";
import { displayWidth } from "./width.ts";

const report: Report = {
  objective: "When a request is ambiguous, prefer asking back over guessing.",
  rows: [
    {
      title: "refuses",
      kind: "share",
      before: { value: 0.461, low: 0.41, high: 0.513, greedy: 0.5 },
      after: { value: 1, low: 0.989, high: 1, greedy: 1 },
      difference: { value: 0.539, low: 0.49, high: 0.588 },
    },
    { title: "KL", kind: "number", before: null, after: { value: Number.NaN } },
  ],
  transcripts: [{ prompt: "hi", before: "hello", after: "good day" }],
  notes: ["The reward model judges 92.0% of held-out pairs right."],
};
const at = (width: number) => reportLines(report, { outColours: pc.createColors(false), outWidth: () => width });

describe("reportLines", () => {
  it("is one table where there is room", () => {
    const lines = at(100);
    expect(lines[0]).toBe(report.objective);
    expect(lines).toContain("refuses  46.1% [41.0, 51.3]   50.0%  100.0% [98.9, 100.0]  100.0%  +53.9 [+49.0, +58.8]");
    expect(lines.find((line) => line.startsWith("KL"))).toMatch(/–.*NaN/);
  });

  it("parts the differences from the sides where it is narrow", () => {
    expect(at(80)).toContain("refuses  46.1% [41.0, 51.3]   50.0%  100.0% [98.9, 100.0]  100.0%");
    expect(at(80)).toContain("refuses  +53.9 [+49.0, +58.8]");
    for (const line of at(80)) expect(displayWidth(line)).toBeLessThanOrEqual(80);
  });
});
