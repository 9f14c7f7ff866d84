import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { parseConfig, recordedConfig } from "../../../config/index.ts";
import { lockRun } from "../../../run/lock.ts";
import { injectInto } from "./inject-fault.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-inject-"));
afterAll(() => rmSync(folder, { recursive: true }));
const { config } = parseConfig("demo: {}\nsft: {}\nreward: {}\nppo: {iterations: 50}\nfaults: [unsafe@3]", "a.yaml");
const path = join(folder, "config.json");
writeFileSync(path, recordedConfig(config, folder));
for (const step of ["000010", "000020"]) mkdirSync(join(folder, "ppo", `checkpoint-${step}`), { recursive: true });

const faults = () => JSON.parse(readFileSync(path, "utf8")).faults;

it("a fault of the run's past is refused, and nothing is written", async () => {
  await expect(injectInto(folder, ["lr-spike@19"])).rejects.toThrow("the run resumes at iteration 20");
  await expect(injectInto(folder, ["lr-spik@30"])).rejects.toThrow("did you mean lr-spike?");
  expect(faults()).toEqual(["unsafe@3"]);
});

it("others stay in the run's configuration, beside those it had, from where it goes on", async () => {
  const recorded = await injectInto(folder, ["lr-spike", "temperature@30"]);
  expect(recorded).toBe(readFileSync(path, "utf8"));
  expect(faults()).toEqual(["unsafe@3", "lr-spike@20", "temperature@30"]);
  expect(await injectInto(folder, [])).toBe(recorded);
});

it("a run that a live process trains is left as it is", async () => {
  const before = readFileSync(path, "utf8");
  const lock = lockRun(folder);
  await expect(injectInto(folder, ["unsafe@40"])).rejects.toThrow("in use by a live process");
  expect(readFileSync(path, "utf8")).toBe(before);
  lock.release();
});
