/** The laboratory's mechanism: kept results, what a result asks for, failures with their reasons, interruption. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { toJson } from "../util/json-values.ts";
import { type Cell, keyOf, type Results } from "./cells.ts";
import { type RunCellsOptions, runCells } from "./run-cells.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-cells-"));
afterAll(() => rmSync(folder, { recursive: true }));

const trial = { name: "a-1-off", work: "trial", input: { made: "up" } as never, needs: [] } satisfies Cell;
const judge: Cell = {
  name: "a-1-judge",
  work: "judge",
  input: { trial: trial.name },
  needs: [trial.name],
  kept: false,
};
const later: Cell = { ...judge, name: "b", input: { trial: "a-1-judge" }, needs: ["a-1-judge"] };

function options(plan: RunCellsOptions["plan"], more: Partial<RunCellsOptions> = {}): RunCellsOptions {
  const nothing = () => {};
  return {
    folder,
    plan,
    processes: 1,
    onProgress: nothing,
    onCell: nothing,
    onNote: nothing,
    interrupted: () => false,
    ...more,
  };
}

it("takes over kept results, does what they ask for, and names what failed and what waits for it", async () => {
  mkdirSync(join(folder, "cells"), { recursive: true });
  const kept = { key: keyOf(trial, new Map()), seconds: 2, result: { run: "no-such-run", score: Number.NaN } };
  writeFileSync(join(folder, "cells", "a-1-off.json"), toJson(kept));
  const said: [string, boolean][] = [];
  const plan = (results: Results): Cell[] => (results.has(trial.name) ? [trial, judge, later] : [trial]);
  const outcome = await runCells(options(plan, { onCell: ({ name }, _, was) => said.push([name, was]) }));
  expect(said).toEqual([["a-1-off", true]]);
  expect(outcome.results.get("a-1-off")).toEqual({ run: "no-such-run", score: Number.NaN });
  expect(outcome.unfinished.map(({ cell }) => cell)).toEqual(["a-1-judge", "b"]);
  expect(outcome.unfinished[0]!.why).toContain("no-such-run");
  expect(outcome.unfinished[1]!.why).toBe("waits for a-1-judge");
});

it("a result of other settings, or a damaged one, is not taken over; an interrupted call begins nothing", async () => {
  const other: Cell = { ...trial, input: { made: "otherwise" } as never };
  expect(keyOf(other, new Map())).not.toBe(keyOf(trial, new Map()));
  writeFileSync(join(folder, "cells", "c.json"), "{");
  const plan = () => [other, { ...trial, name: "c" }];
  const outcome = await runCells(options(plan, { interrupted: () => true }));
  expect(outcome).toMatchObject({ interrupted: true, results: new Map() });
  const left = ["a-1-off", "c"].map((cell) => ({ cell, why: "not done yet" }));
  expect(outcome.unfinished).toEqual(left);
  // A report trains nothing either, and takes what there is, by name.
  const report = await runCells(options(plan, { report: true }));
  expect(report).toMatchObject({ interrupted: false, outdated: ["a-1-off"], unfinished: left.slice(1) });
  expect(report.results.has("a-1-off")).toBe(true);
});
