/** What a user mistyped, or did not know, is named with the file's own columns. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/store.ts";
import type { DataError } from "../util/errors.ts";
import { rowsOfFiles } from "./read-file.ts";
import { RowsError } from "./row-faults.ts";
import { guessUse } from "./survey.ts";

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

function file(name: string, text: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function refused(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return `${(error as DataError).message}\n${(error as DataError).hint}`;
  }
  throw new Error("it was not refused");
}

const reviews = (rows: number) =>
  `diff,good,bad\n${Array.from({ length: rows }, (_, i) => `change ${i},yes ${i},no ${i}\n`).join("")}`;

it("a column that the file lacks is named with those that it has, whatever other fields are", () => {
  const path = file("reviews.csv", reviews(30));
  const said = refused(() => guessUse({ path, fields: { prompt: "dif", chosen: "good", rejected: "bad" } }));
  expect(said).toMatch(/the column "dif" is missing from every row of .*; did you mean diff\?/);
  expect(said).toContain('the rows have "diff", "good", "bad"; name the one that is the prompt: --field prompt=COLUMN');
  expect(guessUse({ path, fields: { prompt: "diff", chosen: "good", rejected: "bad" } })).toBe("preferences");
});

it("a mistyped field is told from its neighbours", () => {
  const path = file("typo.csv", reviews(2));
  const said = refused(() => guessUse({ path, fields: { promt: "diff" } }));
  expect(said).toMatch(
    /^promt is not a field of rows; did you mean prompt\?\nthe fields are prompt, chosen, rejected, /,
  );
  expect(said).not.toMatch(/colon/);
});

it("unknown columns ask for names, and say how many rows were read", () => {
  const long = refused(() => guessUse({ path: file("long.csv", reviews(30)) }));
  expect(long).toMatch(/^none of the first 20 rows can be used, and no others were read\n.*"diff", "good", "bad"/);
  expect(long).toContain("--field prompt=COLUMN --field completion=COLUMN, in a configuration below fields");
  expect(refused(() => guessUse({ path: file("short.csv", reviews(3)) }))).toMatch(/^3 rows cannot be used/);
});

it("a header without rows is not called an empty file", () => {
  const said = refused(() => [...rowsOfFiles(file("header.csv", "prompt,chosen\n"))]);
  expect(said).toMatch(/header\.csv has a header and no rows: its columns are "prompt", "chosen"/);
  expect(refused(() => [...rowsOfFiles(file("nothing.csv", ""))])).toMatch(/nothing\.csv is empty/);
});

it("Latin-1 is shown from the beginning of its line, and is converted to a file of the same kind", () => {
  const path = file("latin.csv", Buffer.from("prompt,completion\nold,the café is closed\n", "latin1"));
  const said = refused(() => [...rowsOfFiles(path)]);
  expect(said).toMatch(/as Latin-1 it reads "old,the café is closed/);
  expect(said).toMatch(/> \S*latin-converted\.csv$/);
  const header = file("header-latin.csv", Buffer.from("prompt,caf\xe9,completion\na,b,c\n", "latin1"));
  expect(refused(() => [...rowsOfFiles(header)])).toMatch(/as Latin-1 it reads "prompt,café/);
});

it("rows in any order are named as ascending stretches", () => {
  const at = (line: number) => ({ place: { path: "a.jsonl", line }, problem: "no template" });
  expect(new RowsError([5, 3, 4, 9, 3, 1].map(at)).message).toContain("a.jsonl:1, 3-5, 9: no template");
});
