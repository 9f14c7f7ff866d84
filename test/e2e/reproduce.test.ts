/** A run with an operator's changes, repeated and compared with itself; and one whose record was altered. */
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "libsql";
import { afterAll, expect, it } from "vitest";
import { ballast, tinyFolder } from "./ballast.ts";

const folder = tinyFolder();
afterAll(() => rmSync(folder, { recursive: true }));

writeFileSync(
  join(folder, "rules.yaml"),
  "rules: [{id: sixth, tier: 1, when: {signal: response/length_mean, above: 0}, minHistory: 6, source: a test}]",
);
const temporary = () => readdirSync(tmpdir()).filter((name) => name.startsWith("ballast-reproduce-"));

it("is the same to the bit, over an operator's decision and setting", { timeout: 180_000 }, async () => {
  const settings = [
    "control.rules=rules.yaml",
    "ppo.iterations=8",
    "sft=null",
    "reward=null",
    "ppo.rewards=[{kind: length, max: 4, slack: 8}]",
    "ppo.learningRate=1e-5",
  ];
  const stopped = await ballast(folder, "run", "tiny.yaml", ...settings);
  expect(stopped.stderr).toMatch(/tier 1 {2}it 5 {2}.* saved, paused: incident 1/);
  expect(stopped.code, stopped.stderr).toBe(3);

  const half = await ballast(folder, "reproduce", "tiny-1", "--json");
  expect(half.code, half.stderr).toBe(0);
  expect(JSON.parse(half.stdout)).toMatchObject({ same: true, iterations: 5, limit: { stage: "ppo", step: 5 } });

  const decide = ["incidents", "resolve", "1", "--resume", "--set", "ppo.clipLow=0.1", "--reason", "go on"];
  expect((await ballast(folder, ...decide)).code).toBe(0);
  const done = await ballast(folder, "resume", "tiny-1");
  expect(done.code, done.stderr).toBe(0);

  const before = temporary();
  const again = await ballast(folder, "reproduce", "tiny-1");
  expect(again.code, again.stderr).toBe(0);
  expect(again.stdout).toMatch(/^The same to the bit: \d+ numbers of 9 steps, and the weights of ppo\/final\.\n$/);
  expect(temporary()).toEqual(before);

  const replayed = await ballast(folder, "replay", "tiny-1", "--json");
  expect(JSON.parse(replayed.stdout)).toMatchObject({ same: true });

  const raw = new Database(join(folder, "runs", "ballast.db"));
  raw.exec(
    `UPDATE metrics SET value = value + 1e-9 WHERE iteration = 2
     AND series IN (SELECT id FROM series WHERE key = 'entropy/mean')`,
  );
  raw.close();
  const changed = await ballast(folder, "reproduce", "tiny-1", "--until", "4");
  expect(changed.code, changed.stderr).toBe(1);
  expect(changed.stdout.replaceAll(/\s+/g, " ")).toMatch(
    /^Not the same\. First difference: ppo 2, entropy\/mean: recorded [\d.]+, now [\d.]+\. Compared up to ppo 4: as told\. $/,
  );
});
