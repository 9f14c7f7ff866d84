/** `ballast lab strangers` on a suite of one's own: a fault that begins in a run's middle, its healthy twin, and a rule that acts. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import type { StrangersSummary } from "../../src/lab/strangers/strangers-summary.ts";
import { bin } from "./ballast.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-strangers-"));
afterAll(() => rmSync(folder, { recursive: true }));

const suite = join(folder, "suite");
function write(name: string, text: string): void {
  mkdirSync(join(suite, name, ".."), { recursive: true });
  writeFileSync(join(suite, name), text);
}
const words = ["red", "green", "blue", "grey"];
write("rows.jsonl", words.map((word) => `${JSON.stringify({ prompt: `say ${word}`, reference: word })}\n`).join(""));
write(
  "rules.yaml",
  "rules: [{id: paid, source: a test, tier: 2, says: pay, when: {signal: reward/component/pay_mean, above: 0.5}, action: {klCoef: 3}, duration: 4}]\n",
);
write(
  "bases/tiny.yaml",
  `
objective: say it
model: {layers: 1, width: 16, heads: 2, context: 16}
tokenizer: {kind: word}
ppo:
  prompts: {path: ../rows.jsonl}
  rewards: [{kind: exact}]
  gold: {kind: exact}
  rewardSamples: 0
  iterations: 6
  sequences: 8
  epochs: 1
  maxNewTokens: 4
  learningRate: 1.0e-3
control: {rules: ../rules.yaml, disable: [reward_jump], monitor: {every: 0}, probes: {every: 0}, noise: {every: 0}, robustness: {every: 0}}
`,
);
write("plain/case.yaml", "says: as it is\nbase: tiny\nkind: healthy\n");
write(
  "paid/case.yaml",
  `
says: pays for everything from iteration 3 on
base: tiny
kind: fault
onset: 3
recoverable: true
causes: [reward_shortcut]
set: {ppo: {rewards: [{kind: exact}, {kind: function, name: pay, path: reward.ts}]}}
`,
);
write("paid/reward.ts", "export default ({ response }: { response: string }) => 1 + response.length / 1e6;\n");

function strangers(...args: string[]) {
  const all = ["lab", "strangers", "--suite", suite, "--seeds", "5", "--workspace", join(folder, "runs"), ...args];
  return spawnSync(bin, all, { encoding: "utf8" });
}

it("the fault is forked from its twin, caught by the rule, and run again with its action; a second call trains nothing", () => {
  const { status, stdout, stderr } = strangers("--json");
  expect(status, stderr).toBe(0);
  const { faults, healthy, unfinished, cells } = JSON.parse(stdout) as StrangersSummary & {
    readonly unfinished: readonly object[];
    readonly cells: readonly { readonly cell: string; readonly acted: readonly { readonly rule: string }[] }[];
  };
  expect(unfinished).toEqual([]);
  expect(faults.map(({ name }) => name)).toEqual(["paid"]);
  expect(faults[0]!.runs[0]).toMatchObject({ seed: 5, after: 1, by: "paid", inTime: true, acted: "temporary" });
  expect(healthy.map(({ name, iterations, rules }) => [name, iterations, rules.paid])).toEqual([
    ["plain", 6, undefined],
  ]);
  expect(cells.map(({ cell }) => cell)).toEqual(expect.arrayContaining(["paid-5-off", "paid-5-on", "plain-5-off"]));
  expect(cells.find(({ cell }) => cell === "paid-5-on")!.acted[0]!.rule).toBe("paid");
  const page = JSON.parse(readFileSync(join(folder, "runs", "lab", "strangers.json"), "utf8"));
  expect(page.tables.map(({ title }: { title: string }) => title)).toContain("False alarms in healthy runs");

  const kept = join(folder, "runs", "lab", "strangers", "cells", "paid-5-on.json");
  const before = statSync(kept).mtimeMs;
  const again = strangers();
  expect(again.status).toBe(0);
  expect(again.stderr).not.toContain("gold");
  expect(statSync(kept).mtimeMs).toBe(before);
  expect(again.stdout).toMatch(/^paid +3 +1\/1 +1 /m);
  expect(again.stdout).not.toContain("UNFINISHED");
}, 240_000);

it("what cannot be done is named with its reason, and the rest is done", () => {
  write("paid/reward.ts", 'export default () => { throw new Error("no judge today"); };\n');
  const { status, stdout } = strangers("--seeds", "6");
  expect(status).toBe(1);
  const said = stdout.replaceAll(/\s+/g, " ");
  expect(said).toMatch(/UNFINISHED: 2 cells without a result: paid-6-off: .*no judge today/);
  expect(said).toContain("paid-6-judge: waits for paid-6-off");
  expect(stdout).toMatch(/^plain +1 +6 /m);
}, 240_000);

it("what is none is refused before anything runs", () => {
  expect(strangers("--only", "payd").stderr).toContain("did you mean paid?");
  expect(strangers("--seeds", "3-x").stderr).toContain("such as 11,12,13 or 1-8");
  expect(strangers("--suite", join(folder, "none")).stderr).toContain("there is no suite");
});
