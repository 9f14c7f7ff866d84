import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { changeOfRows, fingerprintRows } from "./data-fingerprint.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-fingerprint-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, "rows.jsonl");
const rows = (count: number) => Array.from({ length: count }, (_, i) => `{"prompt": "${i}", "reference": 1.10}`);

/** The message for a file with these rows after they are replaced by those. */
function change(before: readonly string[], after: readonly string[] | string, limit = 0) {
  writeFileSync(path, before.join("\n"));
  const fingerprint = fingerprintRows({ path, limit });
  writeFileSync(path, typeof after === "string" ? after : after.join("\n"));
  const found = changeOfRows(fingerprint, { path, limit });
  return found && { ...found, says: found.says.replaceAll(path, "rows.jsonl") };
}

it("is the same for the same rows, however their lines end and stand apart", () => {
  expect(change(rows(5), rows(5))).toBeNull();
  expect(change(rows(5), `\uFEFF${rows(5).join("  \r\n\r\n \r\n")}\r\n`)).toBeNull();
});

it("says how many rows were appended, and if", () => {
  expect(change(rows(10), ["", ...rows(12)])).toEqual({
    says: "rows.jsonl has 12 rows: 2 appended, from line 12 on, to the 10 that the run began with",
    appended: true,
  });
  expect(change(rows(1000), rows(1001))).toMatchObject({ appended: true });
});

it.each<[string, string[], string]>([
  ["a row", rows(10).with(4, "{}"), "rows.jsonl has different rows: the first change is in line 5"],
  [
    "a number's text",
    rows(10).with(4, '{"prompt": "4", "reference": 1.1}'),
    "rows.jsonl has different rows: the first change is in line 5",
  ],
  ["the order", rows(10).toReversed(), "rows.jsonl has different rows: the first change is in line 1"],
  [
    "a row and rows at the end",
    [...rows(10).with(9, "{}"), "{}"],
    "rows.jsonl has 11 rows, and the run began with 10: the first change is in line 10",
  ],
  [
    "rows in front",
    ["{}", ...rows(10)],
    "rows.jsonl has 11 rows, and the run began with 10: the first change is in line 1",
  ],
  ["rows at the end that are gone", rows(7), "rows.jsonl has 7 rows, and the run began with 10: the last 3 are gone"],
])("says what changed: %s", (_, after, says) => {
  expect(change(rows(10), after)).toEqual({ says, appended: false });
});

it("tells the stretch of a large file, and looks at no row beyond the limit", () => {
  expect(change(rows(1000), rows(1000).with(500, "{}"))?.says).toBe(
    "rows.jsonl has different rows: the first change is between its rows 501 and 504",
  );
  expect(change(rows(10), [...rows(5), "{}"], 5)).toBeNull();
  expect(change(rows(10), rows(12), 10)).toBeNull();
});
