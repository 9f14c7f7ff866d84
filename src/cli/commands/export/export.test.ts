/** Exports read back: every row, every bit of every number, and no cell that a spreadsheet would run. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parquetReadObjects } from "hyparquet";
import { describe, expect, it } from "vitest";
import fc from "../../../../test/support/property.ts";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { workspaceWithRun } from "../../../../test/support/workspace.ts";
import { csvText } from "../../../util/csv-cell.ts";
import { exportRun } from "./index.ts";

const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0.1 + 0.2, 5e-324, -1.5, 1e300];

/** Iterations 0 to 6, resumed at 4; one key that looks like a formula. */
function recorded() {
  const { store, workspace } = workspaceWithRun();
  const first = store.recorder("tiny-1", store.startAttempt("tiny-1"));
  for (let i = 0; i < 7; i++) first.metrics("ppo", i, { "kl/ref": odd[i]!, '=HYPERLINK("x,y")': -i });
  first.commit();
  first.close();
  const second = store.recorder("tiny-1", store.startAttempt("tiny-1"));
  second.metrics("ppo", 4, { "kl/ref": 4 });
  second.commit();
  const terminal = keptTerminal();
  return { terminal, workspace, options: { run: "tiny-1", attempts: "all", workspace, terminal } as const };
}

it("as CSV has every row, flags, and text that is not a formula", async () => {
  const { terminal, options } = recorded();
  await exportRun({ ...options, format: "csv" });
  const { lines } = terminal;
  expect(lines[0]).toBe("run,attempt,stage,iteration,key,value,flag,superseded");
  expect(lines).toHaveLength(1 + 14 + 1);
  const kl = lines.filter((line) => line.includes("kl/ref"));
  expect(kl.slice(0, 4)).toEqual([
    "tiny-1,1,ppo,0,kl/ref,,1,0",
    "tiny-1,1,ppo,1,kl/ref,,2,0",
    "tiny-1,1,ppo,2,kl/ref,,3,0",
    "tiny-1,1,ppo,3,kl/ref,0.30000000000000004,0,0",
  ]);
  expect(kl[5]).toBe("tiny-1,1,ppo,5,kl/ref,-1.5,0,1");
  expect(kl[7]).toBe("tiny-1,2,ppo,4,kl/ref,4,0,0");
  expect(lines[2]).toBe(`tiny-1,1,ppo,0,"'=HYPERLINK(""x,y"")",0,0,0`);
});

it("of the newest attempts leaves out what was taken over", async () => {
  const { terminal, options } = recorded();
  await exportRun({ ...options, format: "jsonl", attempts: "newest" });
  const rows = terminal.lines.map((line) => JSON.parse(line)).filter(({ key }) => key === "kl/ref");
  expect(rows.map(({ iteration, attempt }) => [iteration, attempt])).toEqual([
    [0, 1],
    [1, 1],
    [2, 1],
    [3, 1],
    [4, 2],
  ]);
  expect(rows[0]).toMatchObject({ value: null, flag: 1, superseded: false });
});

it("as Parquet reads back to the bit, from a file that was whole when it appeared", async () => {
  const { terminal, options, workspace } = recorded();
  const out = join(workspace, "tiny.parquet");
  await exportRun({ ...options, format: "parquet", out });
  expect(terminal.notes[0]).toMatch(/^15 rows written to .*tiny\.parquet$/);
  expect(readdirSync(workspace).filter((name) => name.endsWith(".new"))).toEqual([]);
  const file = readFileSync(out);
  const buffer = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength) as ArrayBuffer;
  const rows = (await parquetReadObjects({ file: buffer })) as Record<string, unknown>[];
  expect(rows).toHaveLength(15);
  const kl = rows.filter(({ key }) => key === "kl/ref");
  expect(kl.map(({ value }) => value)).toEqual([...odd, 4]);
  expect(kl.map(({ flag }) => flag)).toEqual([1, 2, 3, 0, 0, 0, 0, 0]);
  expect(kl.map(({ superseded }) => superseded)).toEqual([false, false, false, false, true, true, true, false]);
  expect(rows[1]).toEqual({
    ...{ run: "tiny-1", attempt: 1, stage: "ppo", iteration: 0 },
    ...{ key: '=HYPERLINK("x,y")', value: 0, flag: 0, superseded: false },
  });
});

it("of more rows than one batch is whole in every format", async () => {
  const { store, workspace } = workspaceWithRun();
  const recorder = store.recorder("tiny-1", store.startAttempt("tiny-1"));
  const keys = Array.from({ length: 500 }, (_, i) => `key/${i}`);
  for (let i = 0; i < 81; i++) recorder.metrics("ppo", i, Object.fromEntries(keys.map((key) => [key, i])));
  recorder.commit();
  const terminal = keptTerminal();
  for (const format of ["csv", "jsonl", "parquet"] as const)
    await exportRun({ run: "tiny-1", attempts: "all", workspace, terminal, format, out: join(workspace, format) });
  expect(terminal.notes.map((note) => Number.parseInt(note, 10))).toEqual([40_500, 40_500, 40_500]);
  expect(readFileSync(join(workspace, "csv"), "utf8").split("\n")).toHaveLength(40_502);
  const file = readFileSync(join(workspace, "parquet"));
  const buffer = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength) as ArrayBuffer;
  const rows = (await parquetReadObjects({ file: buffer, columns: ["iteration", "value"] })) as Record<
    string,
    number
  >[];
  expect(rows.filter(({ iteration, value }) => iteration === value)).toHaveLength(40_500);
});

it("refuses what it cannot do, and leaves the file that was there", async () => {
  const { options, workspace } = recorded();
  await expect(exportRun({ ...options, format: "parquet" })).rejects.toThrow("Parquet is written to a file only");
  await expect(exportRun({ ...options, format: "csv", out: "/none/x.csv" })).rejects.toThrow(
    "cannot write /none/x.csv",
  );
  await expect(exportRun({ ...options, run: "x", format: "csv" })).rejects.toThrow("there is no run x");
  const out = join(workspace, "there");
  writeFileSync(out, "old");
  writeFileSync(join(workspace, "a-file"), "");
  await expect(exportRun({ ...options, format: "csv", out: join(workspace, "a-file", "x") })).rejects.toThrow(
    "ENOTDIR",
  );
  expect(readFileSync(out, "utf8")).toBe("old");
});

it.skipIf(!existsSync("/dev/full")).each(["csv", "jsonl", "parquet"] as const)(
  "as %s that finds no room fails (needs /dev/full)",
  async (format) => {
    const { options } = recorded();
    await expect(exportRun({ ...options, format, out: "/dev/full" })).rejects.toThrow("cannot write /dev/full: ENOSPC");
    expect(options.terminal.notes).toEqual([]);
  },
);

describe("a cell of text", () => {
  it.each(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1", "＝1", "\n@x"])("%j is no formula", (text) => {
    expect(csvText(text).replace(/^"/, "")).toMatch(/^'/);
  });

  it("reads back as what it was, but for the apostrophe", () => {
    const any = fc.string({ unit: fc.constantFrom(..."=+-@\"',\n\r\t a1") });
    fc.assert(
      fc.property(any, (text) => {
        const cell = csvText(text);
        const read = cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell;
        expect(read === text || read === `'${text}`).toBe(true);
        expect(cell.startsWith('"') || !/[",\r\n]/.test(cell)).toBe(true);
        expect(read).not.toMatch(/^\s*[=+\-@]/);
      }),
    );
  });
});
