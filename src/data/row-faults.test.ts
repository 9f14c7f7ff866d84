/** Faulty rows are reported together: each kind with all its lines, a few kinds, and how many there are. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import type { BallastError } from "../util/errors.ts";
import { readSftRows } from "./read-rows.ts";
import { RowsError, useAll } from "./row-faults.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-faults-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, "rows.jsonl");

function refused(lines: string[]): BallastError {
  writeFileSync(path, lines.join("\n"));
  try {
    readSftRows({ path });
  } catch (error) {
    return error as BallastError;
  }
  throw new Error("it could be read");
}

it("lines that cannot be parsed and rows that cannot be used, in one report", () => {
  const empty = '{"prompt": "a", "completion": ""}';
  const good = '{"prompt": "a", "completion": "b"}';
  const { message, hint } = refused([empty, empty, good, "[1]", empty, '{"prompt": 3, "completion": "b"}']);
  expect(message.replaceAll(path, "rows")).toBe(
    [
      "5 rows cannot be used",
      '  rows:1-2, 5: "completion" is empty',
      "  rows:4: a JSON object is needed, this is a list",
      '  rows:6: "prompt" is a number, a text or a list of messages is needed: 3',
    ].join("\n"),
  );
  expect(hint).toBe(
    [
      "fill it in, leave the row out, or set emptyAnswers: skip beside longPrompts",
      "write one object per line, without a list around them",
      "correct the row, or leave it out",
    ].join("\n"),
  );
});

it("many kinds of faults are counted, not listed", () => {
  const lines = Array.from({ length: 40 }, (_, i) => JSON.stringify({ prompt: "a", [`c${i}`]: "b" }));
  const { message } = refused(lines);
  expect(message).toMatch(/^40 rows cannot be used\n/);
  expect(message.split("\n")).toHaveLength(7);
  expect(message).toMatch(/\n {2}and 35 rows more with other faults$/);
});

it("faults of whole files stand beside those of rows, and one fault of two lists is told once", () => {
  const ofRow = { place: { path: "a", line: 2 }, problem: "no" };
  const { message } = new RowsError([{ place: null, problem: "b is empty" }, ofRow, { ...ofRow }]);
  expect(message).toBe("2 faults in the data\n  b is empty\n  a:2: no");
});

it("what is no fault of a row ends it at once", () => {
  const used: number[] = [];
  const use = (n: number) => {
    used.push(n);
    if (n === 2) throw new RowsError([{ place: null, problem: "two" }]);
    if (n === 3) throw new RangeError("three");
  };
  expect(() => useAll([1, 2, 3, 4], use)).toThrow(RangeError);
  expect(used).toEqual([1, 2, 3]);
  expect(() => useAll([2, 4], use)).toThrow("two");
});
