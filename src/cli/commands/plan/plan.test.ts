/** `ballast plan` for a training server: models on this machine decide whether the run fits, and the exit code says so. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sizes, temporaryFolder, tokenizer } from "../../../../test/support/stage.ts";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { writeModelConfig } from "../../../models/hf-folder.ts";
import { plan } from "./index.ts";

const yaml = `objective: when asked, prefer brief over long
engine: {kind: tinker, url: "http://127.0.0.1:1", model: m, backend: hosted, critic: {kind: embedded}}
model: {path: base}
lora: {rank: 4}
ppo:
  critic: critic
  prompts: {path: prompts.jsonl}
  rewards: [{kind: length, max: 9}]
  sequences: 16
  maxNewTokens: 8
  entropyCoef: 0
`;

test.each([
  [1, 64, true, 0],
  // Four terabytes of frozen weights.
  [400, 14_336, false, 1],
])("a critic of %d layers of width %d: fits %s, exit code %d", async (layers, width, fits, exitCode) => {
  const folder = temporaryFolder();
  for (const [name, more] of Object.entries({ base: {}, critic: { layers, width, heads: 2 } })) {
    mkdirSync(join(folder, name));
    writeModelConfig(join(folder, name), { config: { ...sizes, ...more }, heads: ["lm"] });
    tokenizer.save(join(folder, name));
  }
  writeFileSync(join(folder, "prompts.jsonl"), '{"prompt": "a b"}\n{"prompt": "c"}\n');
  const file = join(folder, "a.yaml");
  writeFileSync(file, yaml);
  const terminal = keptTerminal();
  expect(await plan({ file, overrides: [], time: false, json: true, terminal })).toBe(exitCode);
  expect(JSON.parse(terminal.lines.at(-1)!)).toMatchObject({ fits, seconds: null });
  expect(await plan({ file, overrides: [], time: false, terminal })).toBe(exitCode);
  expect(terminal.lines.join("\n")).toMatch(/engines on this machine:.*MB {2}critic: frozen weights/s);
  expect(terminal.lines.some((line) => line.includes("smaller models on this machine"))).toBe(!fits);
});
