/** `ballast sweep` as it is typed: two runs side by side, kept by a second call, and trained again if a row has changed. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { builtProgram as bin } from "../../../../test/support/built-package.ts";
import { temporaryFolder } from "../../../../test/support/store.ts";

it("trains each seed once, and again if the rows are different", { timeout: 120_000 }, () => {
  const folder = temporaryFolder();
  const write = (said: string) =>
    writeFileSync(
      join(folder, "rows.jsonl"),
      ["one", "two", "four", "five"]
        .map((word) => `{"prompt": "ask ${word}", "completion": "${said} ${word}"}\n`)
        .join(""),
    );
  const file = join(folder, "a.yaml");
  const stage = "sft: {data: {path: rows.jsonl}, steps: 2, batchSize: 2}";
  writeFileSync(file, `model: {layers: 1, width: 8, heads: 1, context: 32}\n${stage}\n`);
  const sweep = () => {
    const words = ["sweep", file, "seed=1,2", "--processes", "2", "--workspace", join(folder, "runs"), "--json"];
    const { status, stdout, stderr } = spawnSync(bin, words, { encoding: "utf8" });
    expect(status, stderr).toBe(0);
    const { rows, cells } = JSON.parse(stdout);
    expect(cells).toHaveLength(2);
    return { loss: rows[0].figures["sft/loss"].mean as number, trained: stderr.includes("seed-1: sft") };
  };
  write("say");
  const first = sweep();
  expect(first.trained).toBe(true);
  expect(sweep()).toEqual({ loss: first.loss, trained: false });
  write("other answers");
  const changed = sweep();
  expect(changed.trained).toBe(true);
  expect(changed.loss).not.toBe(first.loss);
});
