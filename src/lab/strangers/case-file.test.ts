/** The shipped suite is what it claims to be, and a wrong case is a clear error. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readSuite, shippedSuite } from "./case-file.ts";
import { strangerCells, twinOf } from "./stranger-cells.ts";

const root = mkdtempSync(join(tmpdir(), "ballast-suite-"));
afterAll(() => rmSync(root, { recursive: true }));

const suite = readSuite(shippedSuite);

it("the shipped suite has at least 16 faults by plain configuration and 6 kinds of healthy run", () => {
  const faults = suite.filter(({ kind }) => kind === "fault");
  expect(faults.length).toBeGreaterThanOrEqual(16);
  expect(suite.length - faults.length).toBeGreaterThanOrEqual(6);
  for (const { config, causes } of faults) {
    expect(config.faults).toEqual([]);
    expect(causes.length).toBeGreaterThan(0);
  }
  expect(twinOf(suite, "helpdesk").name).toBe("healthy-dense");
  const cost = faults.find(({ name }) => name === "loose-8-steps")!;
  expect(cost.config.ppo).toMatchObject({ learningRate: 10 * cost.healthy.ppo!.learningRate, kl: { coef: 0 } });
});

it("runs share stages and healthy twins; only what differs is trained", () => {
  const cases = suite.filter(({ name }) => ["shortcut-word", "loose-1-step", "flipped-labels"].includes(name));
  const cells = strangerCells({ suite, cases, seeds: [1, 2] }, new Map());
  const names = (work: string) => cells.filter((cell) => cell.work === work).map(({ name }) => name);
  // One SFT; a reward model of the base, and one of the flipped labels.
  expect(names("stage").map((name) => name.split("-")[0])).toEqual(["sft", "reward", "reward"]);
  expect(names("trial")).toHaveLength(2 * 4);
  const late = cells.find(({ name }) => name === "shortcut-word-2-off")!;
  expect(late.input).toMatchObject({ fork: { trial: "healthy-dense-2-off", at: 8 } });
  expect(late.needs).toContain("healthy-dense-2-off");
  expect(cells.find(({ name }) => name === "flipped-labels-2-off")!.input).toMatchObject({ fork: null });
});

it("a run with actions forks at its first one, or begins anew if that comes before the first checkpoint", () => {
  const cases = suite.filter(({ name }) => name === "critic-rate-0" || name === "reward-drift");
  const forkAt = (name: string, acts: number) => {
    const judged = { alerts: [], findings: [], acts, alone: {}, causes: [] };
    const cells = strangerCells({ suite, cases, seeds: [3] }, new Map([[`${name}-3-judge`, judged]]));
    return (cells.find((cell) => cell.name === `${name}-3-on`)!.input as { fork: unknown }).fork;
  };
  expect(forkAt("critic-rate-0", 9)).toEqual({ trial: "critic-rate-0-3-off", at: 9 });
  expect(forkAt("critic-rate-0", 1)).toBeNull();
  // Its reward counts its calls.
  expect(forkAt("reward-drift", 12)).toEqual({ trial: "healthy-dense-3-off", at: 8 });
});

function wrong(text: string, more: Record<string, string> = {}): string {
  const folder = mkdtempSync(join(root, "s-"));
  for (const [name, content] of Object.entries({ "one/case.yaml": text, ...more })) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  try {
    readSuite(folder);
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

const fault = "says: a\nbase: sums\nkind: fault\ncauses: [prompts_few]\n";

it.each([
  ["nothing in it", "says: a\n", /case\.yaml:1: base: /],
  ["an unknown key", `${fault}onzet: 3\nset: {seed: 2}\n`, /onzet/],
  [
    "an unknown base",
    `${fault.replace("sums", "summs")}set: {seed: 2}\n`,
    /case\.yaml:2: base: there is no bases\/summs\.yaml/,
  ],
  [
    "an unknown cause",
    fault.replace("prompts_few", "prompts_fev"),
    /case\.yaml:4: causes: .*did you mean prompts_few\?/,
  ],
  ["a fault that changes nothing", fault, /case\.yaml:3: kind: a fault sets something/],
  ["a healthy one with causes", fault.replace("fault", "healthy"), /kind: a healthy case has no onset, no causes/],
  ["a setting that does not exist", `${fault}set: {ppo: {learningrate: 1}}\n`, /case\.yaml: .*learningrate/],
  ["a value that is none", `${fault}set: {ppo: {epochs: 0}}\n`, /case\.yaml: ppo\.epochs/],
  ["rows that are not there", `${fault}set: {ppo: {prompts: {path: no.jsonl}}}\n`, /case\.yaml: .*no\.jsonl/],
  [
    "an onset after the end",
    `${fault}onset: 99\nset: {ppo: {epochs: 1}}\n`,
    /case\.yaml:5: onset: the run has 32 iterations/,
  ],
  [
    "an onset for what a run is made of",
    `${fault}onset: 4\nset: {ppo: {iterations: 40}}\n`,
    /onset: ppo\.iterations cannot change/,
  ],
  ["an injected fault", `${fault}set: {faults: [lr-spike]}\n`, /set: strangers have no injected faults/],
])("%s is refused with its place", (_, text, message) => {
  expect(wrong(text)).toMatch(message);
});

it("all mistakes of a suite come at once, and a folder without cases says so", () => {
  const both = wrong("says: a\n", { "two/case.yaml": fault });
  expect(both).toMatch(/one\/case\.yaml:1: base/);
  expect(both).toMatch(/two\/case\.yaml:3: kind/);
  expect(() => readSuite(mkdtempSync(join(root, "s-")))).toThrow("holds no case");
  expect(() => readSuite(join(root, "none"))).toThrow("there is no suite");
});
