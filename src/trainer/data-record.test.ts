import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, it } from "vitest";
import { configSchema } from "../settings/config-schema.ts";
import { CheckpointError, DataError } from "../util/errors.ts";
import { checkData, dataChanges, fingerprintData, recordData } from "./data-record.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-data-record-"));
afterAll(() => rmSync(folder, { recursive: true }));

const names = ["sft", "heldout", "pairs", "prompts", "evaluation", "monitor", "ratings"] as const;
const file = (name: (typeof names)[number]) => join(folder, `${name}.jsonl`);
const from = (name: (typeof names)[number]) => ({ path: file(name) });
const config = configSchema.parse({
  sft: { data: from("sft"), evaluation: from("heldout") },
  reward: { data: from("pairs") },
  ppo: { prompts: from("prompts") },
  evaluation: { prompts: from("evaluation") },
  control: { monitor: { prompts: from("monitor") }, probes: { ratings: file("ratings") } },
});
const all = ["sft", "reward", "ppo", "evaluation"] as const;
const check = (options: { unfinished?: readonly (typeof all)[number][]; allowChanged?: boolean } = {}) =>
  checkData({ config, folder, unfinished: all, allowChanged: false, ...options });

beforeEach(async () => {
  for (const name of names) writeFileSync(file(name), '{"prompt": "a"}\n{"prompt": "b"}\n');
  await recordData(folder, fingerprintData(config));
});

it("is the same for the same rows", async () => {
  expect(await check()).toEqual([]);
  expect(dataChanges(config, folder)).toEqual([]);
});

it.each([
  ["sft", "sft.data", ["sft"]],
  ["heldout", "sft.evaluation", ["sft"]],
  ["pairs", "reward.data", ["reward", "ppo"]],
  ["prompts", "ppo.prompts", ["reward", "ppo"]],
  ["evaluation", "evaluation.prompts", ["evaluation"]],
  ["monitor", "control.monitor.prompts", ["ppo"]],
  ["ratings", "control.probes.ratings", ["ppo"]],
] as const)("names %s as what changed, while something that reads it is to come", async (name, key, readers) => {
  writeFileSync(file(name), '{"prompt": "a"}\n{"prompt": "B"}\n');
  const says = `${key}: ${file(name)} has different rows: the first change is in line 2`;
  for (const stage of all) {
    const checked = check({ unfinished: [stage] });
    if (!(readers as readonly string[]).includes(stage)) expect(await checked).toEqual([]);
    else {
      const error = await checked.catch((reason) => reason);
      expect(error).toBeInstanceOf(CheckpointError);
      expect(error.message).toBe(`the data is not what the run began with: ${says}`);
      expect(error.hint).toContain("ballast resume RUN --allow-changed-data");
    }
  }
  expect(dataChanges(config, folder)).toEqual([says]);
});

it("goes on with changed rows if it is told to, says so, and they are then the run's", async () => {
  appendFileSync(file("prompts"), '{"prompt": "c"}\n');
  await expect(check()).rejects.toThrow(/prompts\.jsonl has 3 rows: 1 appended, from line 3 on, to the 2 that/);
  expect(await check({ allowChanged: true })).toEqual([
    expect.stringMatching(/appended.*: the run continues with these$/),
  ]);
  expect(await check()).toEqual([]);
});

it("lets ratings grow, and says so once", async () => {
  appendFileSync(file("ratings"), '{"prompt": "c"}\n');
  expect(await check()).toEqual([expect.stringMatching(/^control\.probes\.ratings: .* has 3 rows: 1 appended/)]);
  expect(await check()).toEqual([]);
});

it("needs no file of a stage that is done, and the others", async () => {
  rmSync(file("sft"));
  expect(await check({ unfinished: ["ppo", "evaluation"] })).toEqual([]);
  await expect(check()).rejects.toThrow(DataError);
});

it("begins to compare if an earlier version recorded nothing", async () => {
  rmSync(join(folder, "data.json"));
  writeFileSync(file("pairs"), "{}\n");
  expect(await check({ unfinished: ["reward"] })).toEqual([]);
  expect(existsSync(join(folder, "data.json"))).toBe(true);
  expect(Object.keys(JSON.parse(readFileSync(join(folder, "data.json"), "utf8")))).toEqual([
    "reward.data",
    "ppo.prompts",
  ]);
});
