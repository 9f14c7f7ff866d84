/** Tables that leave the page: text stays text wherever it is pasted. */
import { expect, it } from "vitest";
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

it("a spreadsheet takes no cell for a formula", () => {
  expect(csvTable(hostile)).toContain("'=cmd|' /C calc'!A0");
  expect(csvTable(hostile)).toContain('"a|b\nc"');
});
