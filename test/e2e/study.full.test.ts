/** One of the studies from end to end, tiny: two arms, two iterations; the critic's error is measured, and the tables stand in a document and on the page. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import type { StudySummary } from "../../src/lab/studies/study-summary.ts";
import { bin } from "./ballast.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-study-"));
afterAll(() => rmSync(folder, { recursive: true }));

const small = [
  "model={family: llama, layers: 1, width: 16, heads: 2, context: 32}",
  ...["sft.steps=2", "sft.batchSize=8", "sft.evaluateEvery=2", "evaluation.samples=8", "control.monitor.samples=8"],
  ...["ppo.iterations=2", "ppo.sequences=16"],
];

function lab(...args: string[]) {
  const only = ["--only", "chains,separate,shared", "--seeds", "1", "--processes", "1", "--workspace", folder];
  return spawnSync(bin, ["lab", "value-clip", ...small, ...only, ...args], { encoding: "utf8" });
}

it("trains, measures the critic's error, and says what is missing for a word", () => {
  const doc = join(folder, "doc.md");
  writeFileSync(doc, "# A\n<!-- ballast lab value-clip -->\nNot run yet.\n<!-- end -->\nB\n");
  const { status, stdout, stderr } = lab("--json", "--doc", doc);
  expect(status, stderr).toBe(0);
  const { rows, claims, unfinished } = JSON.parse(stdout) as StudySummary & { unfinished: unknown[] };
  expect(unfinished).toEqual([]);
  expect(rows.map(({ task, arm, runs }) => [task, arm, runs])).toEqual([
    ["chains", "separate", 1],
    ["chains", "shared", 1],
  ]);
  for (const { figures } of rows) expect(figures.valueError!.mean).toBeGreaterThanOrEqual(0);
  // The arms without a clip were not asked for.
  expect(new Set(claims.map(({ word }) => word))).toEqual(new Set(["not run yet"]));
  expect(readFileSync(doc, "utf8")).toMatch(
    /^# A\n[\s\S]*chains-separate +1 [\s\S]*NOT RUN YET: value-clip\/rmse[\s\S]*\nB\n$/,
  );

  const page = JSON.parse(readFileSync(join(folder, "lab", "value-clip.json"), "utf8"));
  expect(page.runs).toEqual(["chains-separate-1-1", "chains-shared-1-1"]);
  expect(page.tables[0].columns.slice(0, 3)).toEqual(["arm", "seeds", "values' RMSE"]);
}, 180_000);
