/** A file in a format that is not read is named, with a command that converts it to JSONL. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { BallastError } from "../util/errors.ts";
import { readPromptRows } from "./read-rows.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast format-"));
afterAll(() => rmSync(folder, { recursive: true }));

const row = '{"prompt": "café, please"}\n';
const bytes = (text: string) => Buffer.from(text, "latin1");
const bigEndian = (text: string) => Buffer.from(text, "utf16le").swap16();

function refused(name: string, content: Buffer | string): { path: string; message: string; hint: string } {
  const path = join(folder, name);
  writeFileSync(path, content);
  try {
    readPromptRows({ path });
  } catch (error) {
    const { message, hint } = error as BallastError;
    return { path, message, hint: hint! };
  }
  throw new Error("it could be read");
}

it.each<[name: string, content: Buffer | string, what: string, hint: string]>([
  ["rows.zst", bytes("\x28\xb5\x2f\xfd\x04\x58"), "is a Zstandard file", "zstd -dc <"],
  ["rows.bz2", "BZh91AY", "is a bzip2 file", "bzip2 -dc <"],
  ["rows.xz", bytes("\xfd7zXZ\0\0"), "is an xz file", "xz -dc <"],
  ["rows.zip", "PK\x03\x04\x14\0\0\0\x08\0rows.jsonl", "is a zip file", "unzip -p"],
  ["rows.xlsx", "PK\x03\x04\x14\0\x06\0\x08\0[Content_Types].xml", "is an Excel file", "pandas.read_excel("],
  ["rows.feather", "ARROW1\0\0", "is an Arrow file", "pandas.read_feather("],
  ["data.arrow", bytes("\xff\xff\xff\xff\x10\0\0\0"), "is an Arrow stream", "Dataset.from_file("],
  ["rows.npy", bytes("\x93NUMPY\x01\0"), "is a binary file", "export it as one of these"],
  ["16.jsonl", Buffer.from(`\uFEFF${row}`, "utf16le"), "is text in UTF-16", "iconv -f UTF-16 -t UTF-8"],
  ["16le.jsonl", Buffer.from(row, "utf16le"), "is text in UTF-16LE", "iconv -f UTF-16LE"],
  ["16be.jsonl", bigEndian(row), "is text in UTF-16BE", "iconv -f UTF-16BE"],
  ["32.jsonl", bytes("\xff\xfe\0\0{\0\0\0"), "is text in UTF-32", "iconv -f UTF-32"],
  ["page.jsonl", "<!DOCTYPE html>\n<html>", "is a web page or XML, not rows", "download the file itself"],
  [
    "lfs.jsonl",
    "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n",
    "is a pointer of Git LFS",
    "git lfs pull",
  ],
  ["mac.jsonl", '{"prompt": "a"}\r{"prompt": "b"}\r', "has line ends of old Macs", "tr '\\r' '\\n' <"],
  ["none.jsonl", "", "is empty", "at least one row"],
  ["blank.jsonl", "\uFEFF \r\n\n", "is empty", "at least one row"],
])("%s", (name, content, what, command) => {
  const { path, message, hint } = refused(name, content);
  expect(message).toContain(`${path} ${what}`);
  expect(hint).toContain(command);
});

it("Latin-1 is told by the lines that are not UTF-8, and how they read", () => {
  const { message, hint } = refused("latin.jsonl", Buffer.concat([bytes(row), Buffer.from(row), bytes(row)]));
  expect(message).toMatch(/latin\.jsonl:1, 3: not UTF-8 text, the first of them as Latin-1 it reads ".*café, please/);
  expect(hint).toContain("iconv -f WINDOWS-1252 -t UTF-8");
});

it("a folder names the rows in it", () => {
  mkdirSync(join(folder, "data/"), { recursive: true });
  expect(() => readPromptRows({ path: join(folder, "data") })).toThrow(/it is a folder/);
  writeFileSync(join(folder, "data/train.jsonl"), row);
  try {
    readPromptRows({ path: join(folder, "data") });
  } catch (error) {
    expect((error as BallastError).hint).toContain(join(folder, "data", "train.jsonl"));
  }
});

describe("the proposed command works", () => {
  const has = (program: string) => spawnSync(program, ["--version"]).error === undefined;
  const table = 'prompt,kind\n"café, please",x\n';
  it.each<[program: string, name: string, content: Buffer | string]>([
    ["iconv", "made-latin.jsonl", bytes(row)],
    ["iconv", "made-16.jsonl", Buffer.from(`\uFEFF${row}`, "utf16le")],
    ["iconv", "it's made-latin.csv", bytes(table)],
    ["tr", "made-mac.jsonl", row.replace("\n", "\r")],
  ])("%s, %s", (program, name, content) => {
    if (!has(program)) return console.warn(`${program} is not here: its command is not tried`);
    const { hint } = refused(name, content);
    const command = /: ([^:]* (?:<|-c|-e|-f) .*)$/s.exec(hint)![1]!;
    execFileSync("sh", ["-c", command]);
    const made = /> (\S+|'.*')$/.exec(command)![1]!;
    const path = execFileSync("sh", ["-c", `printf %s ${made}`], { encoding: "utf8" });
    expect(readPromptRows({ path })).toMatchObject([{ prompt: [{ content: "café, please" }] }]);
    expect(readFileSync(join(folder, name))).toEqual(Buffer.from(content));
  });
});
