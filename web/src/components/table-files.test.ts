/** Tables that leave the page: text stays text wherever it is pasted. */
import { expect, it } from "vitest";
import { columnOf } from "../state/column.ts";
import { csvOf } from "./chart-files.ts";
import { csvTable, markdownTable } from "./table-files.ts";

const hostile = {
  columns: ["name", "value"],
  rows: [
    ["=cmd|' /C calc'!A0", "<script>alert(1)</script>"],
    ["a|b\nc", "![x](http://evil) `code` *bold* \u202eback\u0007"],
  ],
};

it("Markdown has no markup of a cell's own", () => {
  const text = markdownTable(hostile);
  expect(text.split("\n")).toHaveLength(5);
  expect(text).not.toContain("<script>");
  expect(text).toContain("a\\|b c");
  expect(text).toContain("!\\[x\\](http://evil) \\`code\\` \\*bold\\*");
  for (const acting of ["\u202e", "\u0007"]) expect(text).not.toContain(acting);
});

it("a chart's table has bands, and how many of a bucket are not finite, of what is shown", () => {
  const column = (mean: (number | null)[]) => columnOf({ width: 1, from: [0, 1, 2], mean, nonFinite: [] });
  const band = { low: column([0, 1, 2]), high: column([4, 5, 6]) };
  const sums = { label: "sums", column: column([2, 3, 4]), band };
  expect(csvOf({ lines: [sums], from: 1, to: 2 })).toBe(
    "iteration,sums,sums min,sums max,sums low,sums high\r\n1,3,3,3,1,5\r\n",
  );
  const wide = columnOf({
    width: 8,
    from: [0, 8],
    mean: [1, null],
    min: [0, null],
    max: [2, null],
    nonFinite: [
      [0, 3, "NaN"],
      [1, 8, "-Infinity"],
    ],
  });
  expect(csvOf({ lines: [{ label: "A", name: "A demo-1", column: wide }], across: "seconds" })).toBe(
    "seconds,A demo-1,A demo-1 min,A demo-1 max,A demo-1 not finite\r\n0,1,0,2,3\r\n8,-Infinity,,,8\r\n",
  );
});

it("a spreadsheet takes no cell for a formula", () => {
  expect(csvTable(hostile)).toContain("'=cmd|' /C calc'!A0");
  expect(csvTable(hostile)).toContain('"a|b\nc"');
});
