/** Every format gives the same rows: by path, by list, by pattern, and with a fault by file and line. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import type { BallastError } from "../util/errors.ts";
import { filesOf } from "./data-files.ts";
import { changeOfRows, fingerprintRows } from "./data-fingerprint.ts";
import { jsonElements } from "./json-elements.ts";
import { formatName, readFiles } from "./read-file.ts";
import { readSftRows } from "./read-rows.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-read-file-"));
afterAll(() => rmSync(folder, { recursive: true }));
const fixtures = join(import.meta.dirname, "../../test/fixtures");

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}
const valuesOf = (path: string | string[]) => readFiles(path, { use: ({ value }) => value });
const linesOf = (path: string) => readFiles(path, { use: ({ place }) => place.line });
function failure(read: () => unknown): BallastError {
  try {
    read();
  } catch (error) {
    return error as BallastError;
  }
  throw new Error("it could be read");
}

const rows = [
  { prompt: 'say "hi", café', completion: "hi\nthere" },
  { prompt: "b", completion: "c" },
];
const csv = 'prompt,completion\n"say ""hi"", café","hi\nthere"\nb,c\n';

describe("every format", () => {
  it.each<[name: string, content: string | Buffer, format: string, lines: number[]]>([
    ["a.jsonl", rows.map((row) => `${JSON.stringify(row)}\n`).join(""), "JSONL", [1, 2]],
    ["a.jsonl.gz", gzipSync(rows.map((row) => JSON.stringify(row)).join("\r\n")), "JSONL, gzip", [1, 2]],
    ["a.json", JSON.stringify(rows), "JSON array", [1, 1]],
    ["b.json", `\uFEFF${JSON.stringify(rows, null, 2)}\n`, "JSON array", [2, 6]],
    ["c.json", rows.map((row) => JSON.stringify(row, null, 1)).join("\n"), "JSON objects that span lines", [1, 5]],
    ["a.csv", csv, "CSV", [2, 4]],
    ["bom.csv", `\uFEFF${csv}`, "CSV", [2, 4]],
    [
      "semicolons.csv",
      csv.replace("prompt,", "prompt;").replace('é",', 'é";').replace("b,", "b;"),
      "CSV with semicolons",
      [2, 4],
    ],
    [
      "a.tsv",
      csv.replace("prompt,", "prompt\t").replace('é",', 'é"\t').replace("b,", "b\t"),
      "tab-separated values",
      [2, 4],
    ],
    ["a.csv.gz", gzipSync(csv), "CSV, gzip", [2, 4]],
  ])("%s", (name, content, format, lines) => {
    const path = file(name, content);
    expect(valuesOf(path)).toEqual(rows);
    expect(linesOf(path)).toEqual(lines);
    expect(formatName(path)).toBe(format);
  });

  it("Parquet as pyarrow writes it: three codecs, two page versions, lists, structs, nulls, rows across pages", () => {
    const wanted = readFileSync(join(fixtures, "nested.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    for (const codec of ["snappy", "zstd", "gzip"]) {
      const path = join(fixtures, `nested.${codec}.parquet`);
      // An absent struct is undefined, which JSON leaves out.
      const found = JSON.parse(JSON.stringify(valuesOf(path), (_, value) => value ?? null));
      expect(found).toEqual(wanted);
      expect(linesOf(path)).toEqual(wanted.map((_, i) => i + 1));
    }
    const numbers = readFiles(join(fixtures, "nested.zstd.parquet"), { limit: 3, use: (row) => row.numbers.count });
    expect(numbers).toEqual(wanted.slice(0, 3).map(({ count }) => String(count)));
  });

  it("a Parquet file that is cut short or damaged is named", () => {
    const whole = readFileSync(join(fixtures, "nested.snappy.parquet"));
    expect(failure(() => valuesOf(file("cut.parquet", whole.subarray(0, 900)))).message).toMatch(
      /cut\.parquet cannot be read as Parquet: its end is missing/,
    );
    const damaged = Buffer.from(whole);
    damaged.fill(0xff, 40, 400);
    expect(failure(() => valuesOf(file("damaged.parquet", damaged))).message).toMatch(
      /damaged\.parquet cannot be read/,
    );
  });

  it("plain text is one row", () => {
    const path = file("poem.txt", "one,\n\ntwo.\n");
    expect(valuesOf(path)).toEqual([{ text: "one,\n\ntwo.\n" }]);
  });
});

describe("CSV", () => {
  it("reads row ends that are mixed, within a file and within cells", () => {
    const path = file("mixed.csv", 'prompt,completion\r\na,b\nc,"d\r\ne"\r\n\nf,g\rh,i');
    expect(valuesOf(path)).toEqual([
      { prompt: "a", completion: "b" },
      { prompt: "c", completion: "d\r\ne" },
      { prompt: "f", completion: "g" },
      { prompt: "h", completion: "i" },
    ]);
  });

  it("keeps numbers and dates as they are written; an empty cell is absent; an unnamed column is an index", () => {
    const path = file("cells.csv", ",prompt,completion,note\n0,007,1.10,\n1,2024-05-01,TRUE,x\n");
    expect(valuesOf(path)).toEqual([
      { prompt: "007", completion: "1.10", note: null },
      { prompt: "2024-05-01", completion: "TRUE", note: "x" },
    ]);
  });

  it("reads cells that span chunks of the file", () => {
    const long = "é,".repeat(700_000);
    const path = file("long.csv", `prompt,completion\na,"${long}"\nb,c\n`);
    expect(valuesOf(path).map(({ completion }) => String(completion).length)).toEqual([1_400_000, 1]);
    expect(linesOf(path)).toEqual([2, 3]);
  });

  it.each<[what: string, content: string | Buffer, message: RegExp, hint: RegExp]>([
    [
      "too many cells",
      "prompt,completion\na,b\nc,d, e\n",
      /f\.csv:3: the row has 3 cells, and the header has 2/,
      /double quotes/,
    ],
    [
      "two columns of one name",
      "prompt,prompt\na,b\n",
      /f\.csv:1: two columns are named "prompt"/,
      /a name of its own/,
    ],
    ["an open quote", 'prompt,completion\na,b\nc,"d\n', /f\.csv:\d: a quote is opened and never closed/, /doubled/],
    ["text after a quote", 'prompt,completion\n"a"b,c\n', /f\.csv:2: text follows the closing quote/, /doubled/],
    [
      "Latin-1",
      Buffer.from("prompt,completion\ncafé,b\n", "latin1"),
      /f\.csv is not UTF-8 text: as Latin-1 it reads/,
      /iconv/,
    ],
    ["a header only", "prompt,completion\n", /f\.csv has a header and no rows/, /at least one row/],
  ])("%s", (_, content, message, hint) => {
    const error = failure(() => valuesOf(file("f.csv", content)));
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
  });
});

describe("a JSON array", () => {
  it("is read element by element, wherever chunks end", () => {
    const text = Buffer.from('[{"a": "]},{\\"\\\\"}, 5 ,"x\\"", [1,[2]],\n{"b": {"c": []}}]');
    for (const size of [1, 2, 3, 7, 1000]) {
      const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
        text.subarray(i * size, (i + 1) * size),
      );
      const found = [...jsonElements("f", chunks)];
      expect(found.map(({ fault }) => fault)).toEqual(Array(5).fill(undefined));
      expect(found.map(({ bytes }) => JSON.parse(bytes.toString()))).toEqual(JSON.parse(text.toString()));
      expect(found.map(({ place }) => place.line)).toEqual([1, 1, 1, 1, 2]);
    }
  });

  it.each([
    ['[{"prompt": "a", "completion": "b"}', /f\.json:1: not valid JSON: the file ends within the array/],
    ['[{"prompt": "a", "completion": "b"}, {"pro', /f\.json:1: not valid JSON: the file ends within this element/],
    ['[{"prompt": "a", "completion": "b"}\n{"prompt": "c"}]', /f\.json:2: not valid JSON: a comma is missing/],
    ['[{"prompt": "a"}]\n x', /f\.json:2: not valid JSON: text follows the end of the array/],
    ['[{"prompt": "a"},\n 5]', /f\.json:2: a JSON object is needed, this is a number/],
    ["[]", /f\.json is empty/],
  ])("%s", (content, message) => {
    expect(failure(() => valuesOf(file("f.json", content))).message).toMatch(message);
  });
});

describe("several files", () => {
  it("by list and by pattern, in order, each once, with places of their own", () => {
    mkdirSync(join(folder, "set/deep"), { recursive: true });
    const row = (prompt: string) => `${JSON.stringify({ prompt, completion: "x" })}\n`;
    file("set/b-2.jsonl", row("b2"));
    file("set/b-1.jsonl", row("b1"));
    file("set/.hidden.jsonl", row("hidden"));
    file("set/deep/c.csv", "prompt,completion\nc,x\n");
    const names = (pattern: string) => filesOf(join(folder, pattern)).map((path) => path.slice(folder.length + 5));
    expect(names("set/*.jsonl")).toEqual(["b-1.jsonl", "b-2.jsonl"]);
    expect(names("set/b-[2-9].jsonl")).toEqual(["b-2.jsonl"]);
    expect(names("set/**/*.{csv,parquet}")).toEqual(["deep/c.csv"]);
    expect(names("set/**")).toEqual(["b-1.jsonl", "b-2.jsonl", "deep/c.csv"]);
    const path = [join(folder, "set/deep/c.csv"), join(folder, "set/*.jsonl"), join(folder, "set/b-1.jsonl")];
    expect(readSftRows({ path }).map(({ prompt }) => prompt[0]!.content)).toEqual(["c", "b1", "b2"]);
    expect(() => filesOf(join(folder, "none-*.csv"))).toThrow(/no file matches .*none-\*\.csv/);
    // A file whose name looks like a pattern is itself.
    expect(valuesOf(file("[x].jsonl", row("d")))).toHaveLength(1);
  });

  it("all have a share in the fingerprint, whatever their format", () => {
    const first = file("hash-1.jsonl", '{"prompt": "a", "completion": "b"}\n');
    const second = file("hash-2.csv", "prompt,completion\nc,d\n");
    const source = { path: join(folder, "hash-*"), limit: 0 };
    const before = fingerprintRows(source);
    expect(before.rows).toBe(2);
    expect(changeOfRows(before, source)).toBeNull();
    writeFileSync(second, "prompt,completion\nc,e\n");
    expect(changeOfRows(before, source)!.says).toMatch(/has different rows: the first change is in .*hash-2\.csv:2$/);
    writeFileSync(second, "prompt,completion\r\nc,d\r\n");
    expect(changeOfRows(before, source)).toBeNull();
    file("hash-3.json", '[{"prompt": "e", "completion": "f"}]');
    expect(changeOfRows(before, source)!.says).toMatch(/has 3 rows: 1 appended, from .*hash-3\.json:1 on/);
    rmSync(first);
    expect(changeOfRows(before, source)!.appended).toBe(false);
    const nested = { path: join(fixtures, "nested.gzip.parquet"), limit: 0 };
    expect(fingerprintRows(nested)).toEqual(
      fingerprintRows({ ...nested, path: join(fixtures, "nested.zstd.parquet") }),
    );
    expect(fingerprintRows({ ...nested, limit: 149 })).not.toEqual(fingerprintRows(nested));
  });
});
