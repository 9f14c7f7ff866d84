/** A run that the controller stops, from the alert to the operator's decision and on to its end, through the command line. */
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { ballast, tinyFolder, typed } from "./ballast.ts";

const folder = tinyFolder();
afterAll(() => rmSync(folder, { recursive: true }));

writeFileSync(
  join(folder, "rules.yaml"),
  `
rules:
  - id: eighth
    tier: 1
    says: epochs
    when: { signal: update/epochs, above: 0 }
    minHistory: 8
    source: a test
`,
);
const settings = ["control.rules=rules.yaml", "sft.evaluationShare=0"];

it("stops with code 3, shows why, waits for a decision, and goes on as decided", { timeout: 120_000 }, async () => {
  const stopped = await ballast(folder, "run", "tiny.yaml", ...settings);
  expect(stopped.stderr).toMatch(/tier 1 {2}it 7 {2}epochs 2 > 0 {2}-> {2}saved, paused: incident 1/);
  expect(stopped.code, stopped.stderr).toBe(3);

  const refused = await ballast(folder, "resume", "tiny-1");
  expect(refused.stderr).toContain("incident 1 of tiny-1 waits for a decision");
  expect(refused.code).toBe(3);

  const shown = await ballast(folder, "incidents", "show", "1");
  expect(shown.stdout).toMatch(/the last 8 iterations[\s\S]*worst samples[\s\S]*checkpoint-000007/);

  const bad = await ballast(
    folder,
    "incidents",
    "resolve",
    "1",
    "--resume",
    "--set",
    "ppo.clipLo=0.1",
    "--reason",
    "x",
  );
  expect(bad.stderr).toContain("Did you mean ppo.clipLow?");
  expect(bad.code).toBe(2);
  const decide = ["incidents", "resolve", "1", "--rollback", "before", "--set", "ppo.clipLow=0.1"];
  const decided = await ballast(folder, ...decide, "--reason", "a smaller step");
  expect(decided.code, decided.stderr).toBe(0);
  const twice = await ballast(folder, ...decide, "--reason", "again");
  expect(twice.stderr).toContain("incident 1 was decided");
  expect(twice.code).not.toBe(0);

  // The rule holds again: the run stops again, and is resumed.
  const again = await ballast(folder, "resume", "tiny-1");
  expect(again.stderr).toContain("rolled back from iteration 7 to 7: incident 1");
  expect(again.stderr).toContain("ppo.clipLow set from 0.2 to 0.1 (a smaller step)");
  expect(again.code, again.stderr).toBe(3);
  expect(
    readdirSync(join(folder, "runs", "tiny-1", "ppo")).filter((name) => name.startsWith("abandoned")),
  ).toHaveLength(1);
  await ballast(folder, "incidents", "resolve", "2", "--resume", "--reason", "as it should be");
  const done = await ballast(folder, "resume", "tiny-1");
  expect(done.code, done.stderr).toBe(0);
  const history = await ballast(folder, "history", "tiny-1", "ppo.clipLow");
  expect(history.stdout).toMatch(/0\.2\s+0\.1\s+operator: a smaller step/);
});

it("prints commands that work as printed, in a workspace whose name has a space", { timeout: 120_000 }, async () => {
  const stopped = await ballast(folder, "run", "tiny.yaml", "workspace=my runs", ...settings);
  expect(stopped.code, stopped.stderr).toBe(3);
  const hint = /^ {2}How to decide: (.+); then: (.+)$/m;
  const [, show, resume] = hint.exec(stopped.stderr)!;

  const early = await typed(folder, resume!);
  expect([early.code, hint.exec(early.stderr)?.slice(1)]).toEqual([3, [show, resume]]);
  const unfinished = await ballast(folder, "eval", "my runs/tiny-1");
  expect(unfinished.stderr).toContain(`Continue it first: ${resume}\n`);
  const listed = await ballast(folder, "incidents", "list", "--workspace", "my runs");
  expect(listed.stdout).toContain(`See one with: ${show}\n`);

  const shown = await typed(folder, show!);
  const decide = shown.stdout.split("\n").find((line) => line.includes(" --resume "));
  const decided = await typed(folder, decide!);
  expect(decided.code, decided.stderr).toBe(0);
  expect(decided.stdout).toContain(`Next: ${resume}\n`);
  const done = await typed(folder, resume!);
  expect(done.code, done.stderr).toBe(0);
  const [list] = done.stdout.trimEnd().split("\n").slice(-1);
  expect((await typed(folder, list!)).stdout).toContain("tiny-1");
});
