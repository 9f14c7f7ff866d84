/** Faulty rows are reported together: each kind with all its lines. */
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
      "correct the row, or leave it out; if a tool took texts for numbers or dates, write the column as text",
    ].join("\n"),
  );
});

it("every kind of fault is listed with its lines, in one round", () => {
  const { message, hint } = refused([
    "[1]",
    '{"prompt": "a"}',
    '{"prompt": "a", "completion": ""}',
    '{"prompt": 3, "completion": "b"}',
    '{"prompt": "a", "completion": 3}',
    '{"messages": []}',
    "5",
  ]);
  expect([...message.matchAll(/rows\.jsonl:(\d)/g)].map(([, line]) => line)).toEqual([..."1234567"]);
  expect(hint).toContain("write one object per line");
  const lines = Array.from({ length: 40 }, (_, i) => JSON.stringify({ prompt: "a", [`c${i}`]: "b".repeat(i) }));
  const many = refused(lines);
  expect(many.message).toMatch(/^40 rows cannot be used\n/);
  for (const i of lines.keys())
    expect(many.message).toContain(`rows.jsonl:${i + 1}: the field "completion" is missing`);
  expect(many.hint!.split("\n")).toHaveLength(21);
});

it("what is cut is the text, not the lines: every stretch of lines, and kinds beyond any honest number", () => {
  const alternate = Array.from(
    { length: 1201 },
    (_, i) => `{"prompt": "a", "completion": "${i % 2 === 0 ? "" : "b"}"}`,
  );
  expect(refused(alternate).message).toMatch(/:1, 3, 5, .*, 1199, 1201: "completion" is empty$/);
  const wide = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`column ${i}`, 1]));
  expect(refused([JSON.stringify(wide), "[]"]).message.length).toBeLessThan(700);
  const place = (line: number) => ({ path: "a", line });
  const kinds = Array.from({ length: 1010 }, (_, i) => ({ place: place(i + 1), problem: `fault ${i}` }));
  const { message } = new RowsError([...kinds, { place: place(2000), problem: "fault 1005" }]);
  expect(message).toMatch(/\n {2}a:1000: fault 999\n {2}a:1001-1010, 2000: other faults$/);
});

it("faults of whole files stand beside those of rows, and one fault of two lists is told once", () => {
  const ofRow = { place: { path: "a", line: 2 }, problem: "no" };
  const { message } = new RowsError([{ place: null, problem: "b is empty" }, ofRow, { ...ofRow }]);
  expect(message).toBe("2 faults in the data\n  b is empty\n  a:2: no");
});

it("what is not a fault of a row ends it at once", () => {
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
