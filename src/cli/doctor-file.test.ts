import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/store.ts";
import { configSchema, recordedConfig } from "../config/index.ts";
import type { Judged } from "../control/doctor/index.ts";
import { startDoctor } from "./doctor-file.ts";

function runFolder(ppo: object): string {
  const folder = temporaryFolder();
  const prompts = join(folder, "prompts.jsonl");
  writeFileSync(prompts, `${JSON.stringify({ prompt: "what is 2 plus 3 ?" })}\n`);
  const config = configSchema.parse({
    objective: "when a request is unclear, prefer a question over a guess",
    ppo: { policy: "/none", prompts: { path: prompts }, ...ppo },
  });
  writeFileSync(join(folder, "config.json"), recordedConfig(config, folder));
  return folder;
}

describe("the doctor beside a run", () => {
  it("leaves what it found in the run's folder", async () => {
    const folder = runFolder({ learningRate: 0.5, prompts: { path: "/no/such.jsonl" } });
    const doctor = startDoctor(folder);
    const file = join(folder, "doctor.json");
    while (!existsSync(file)) await sleep(50);
    const findings = JSON.parse(readFileSync(file, "utf8")) as Judged[];
    expect(findings.map(({ id }) => id)).toContain("files/missing");
    for (const finding of findings)
      expect(finding).toMatchObject({
        severity: expect.any(String),
        what: expect.any(String),
        remedy: expect.any(String),
      });
    await doctor.close();
  }, 20_000);

  it("troubles nobody where it cannot look, and can be ended at any time", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "x"));
    const doctor = startDoctor(folder);
    await sleep(20);
    await doctor.close();
    await doctor.close();
    expect(existsSync(join(folder, "doctor.json"))).toBe(false);
  });
});
