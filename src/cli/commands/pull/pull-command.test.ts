/** `ballast pull`, and `hf://` where a path stands: in a configuration, its record, and in commands. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type HubServer, startHub } from "../../../../test/support/hub-server.ts";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { tinyModel } from "../../../../test/support/tiny-model.ts";
import { loadConfig, parseResolvedConfig, recordedConfig } from "../../../config/index.ts";
import { adapterBase } from "../../../models/adapter-folder.ts";
import { runProgram } from "../../program.ts";

const commit = "c".repeat(40);
const folder = mkdtempSync(join(tmpdir(), "ballast-pull-"));
const rows = Array.from({ length: 4 }, (_, i) => `{"prompt": "ask ${i}", "completion": "answer ${i}"}\n`).join("");
const kept = { ...process.env };
let hub: HubServer;

beforeAll(async () => {
  await tinyModel(join(folder, "model"), { context: 24 });
  const names = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "model.safetensors",
  ];
  const own = names.map((name) => [
    name,
    { content: readFileSync(join(folder, "model", name)), large: name.endsWith(".safetensors") },
  ]);
  hub = await startHub([
    { type: "model", id: "org/tiny", branches: { main: commit }, commits: { [commit]: Object.fromEntries(own) } },
    {
      type: "dataset",
      id: "org/rows",
      branches: { main: commit },
      commits: { [commit]: { "train.jsonl": { content: Buffer.from(rows) } } },
    },
  ]);
  Object.assign(process.env, { HF_HOME: join(folder, "home"), HF_ENDPOINT: hub.endpoint });
  for (const name of ["HF_TOKEN", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
    delete process.env[name];
});
afterAll(async () => {
  for (const name of Object.keys(process.env)) if (name.startsWith("HF_")) delete process.env[name];
  Object.assign(process.env, kept);
  await hub.close();
  rmSync(folder, { recursive: true });
});

async function ballast(...args: string[]) {
  const terminal = keptTerminal();
  const code = await runProgram(args, terminal);
  return { code, out: terminal.lines.join("\n"), notes: terminal.notes.join("\n") };
}

it("prints the folder, how to name it in a configuration, and as JSON what came", async () => {
  const { code, out, notes } = await ballast("pull", "org/tiny");
  expect(code).toBe(0);
  expect(out).toBe(join(folder, "home", "hub", "models--org--tiny", "snapshots", commit));
  expect(notes).toContain(`hf://org/tiny is commit ${commit}`);
  expect(notes).toContain(`model: {path: "hf://org/tiny@${commit}"}`);
  const [again] = (await ballast("pull", "org/tiny", "--json")).out.split("\n").map((line) => JSON.parse(line));
  expect(again).toMatchObject({ name: `hf://org/tiny@${commit}`, cached: again.bytes });
  expect(again.files).toContain("model.safetensors");
});

it("is if an adapter finds a base that PEFT recorded by its name on the Hub", async () => {
  const adapter = join(folder, "adapter");
  mkdirSync(adapter);
  const config = { peft_type: "LORA", r: 2, lora_alpha: 4, target_modules: ["c_attn"] };
  const record = (base: string) =>
    writeFileSync(join(adapter, "adapter_config.json"), JSON.stringify({ ...config, base_model_name_or_path: base }));
  record("org/tiny");
  expect(adapterBase(adapter)).toBe(join(folder, "home", "hub", "models--org--tiny", "snapshots", commit));
  record("org/absent");
  expect(() => adapterBase(adapter)).toThrow("stands on org/absent, which is not here");
});

it("pulls what a command names and does it then; a file's record has the commit", async () => {
  const seen = await ballast("data", "hf://datasets/org/rows/train.jsonl", "--model", "hf://org/tiny");
  expect(seen.code).toBe(0);
  expect(seen.out).toContain("4 rows as demonstrations");
  expect(seen.notes).toContain("hf://datasets/org/rows/train.jsonl is commit");

  const yaml = join(folder, "run.yaml");
  const written = "hf://datasets/org/rows/train.jsonl";
  writeFileSync(yaml, `model: {path: hf://org/tiny}\nsft:\n  steps: 1\n  batchSize: 2\n  data: {path: ${written}}\n`);
  const { config } = loadConfig(yaml, ["reward.data.path=hf://datasets/org/rows/t*.jsonl"]);
  expect(config.model.path).toMatch(/models--org--tiny.snapshots/);
  expect(config.tokenizer).toMatchObject({ kind: "file", path: config.model.path });
  const recorded = JSON.parse(recordedConfig(config, join(folder, "runs", "x")));
  expect(recorded.model.path).toBe(`hf://org/tiny@${commit}`);
  expect(recorded.sft.data.path).toBe(`hf://datasets/org/rows@${commit}/train.jsonl`);
  expect(recorded.reward.data.path).toBe(`hf://datasets/org/rows@${commit}/t*.jsonl`);
  expect(parseResolvedConfig(JSON.stringify(recorded), join(folder, "runs", "x")).model.path).toBe(config.model.path);
});

it("trains from the Hub, and again from the record in an empty cache", async () => {
  const workspace = join(folder, "runs");
  const yaml = join(folder, "run.yaml");
  const run = ["run", yaml, `workspace=${workspace}`, "sft.steps=1", "threads=1"];
  process.env.HF_HOME = join(folder, "other");
  const { code, notes } = await ballast(...run);
  expect(code).toBe(0);
  expect(notes).toContain("hf://org/tiny is commit");
  const recorded = readFileSync(join(workspace, "run-1", "config.json"), "utf8");
  expect(JSON.parse(recorded).model.path).toBe(`hf://org/tiny@${commit}`);
  process.env.HF_HOME = join(folder, "third");
  const longer = await ballast("resume", join(workspace, "run-1"));
  expect(longer.code).toBe(0);
  expect(longer.notes).toContain(`hf://org/tiny@${commit} is commit`);
});

it("reports mistakes of a configuration before anything is pulled, and names that cannot be", async () => {
  process.env.HF_HOME = join(folder, "fourth");
  const yaml = join(folder, "wrong.yaml");
  writeFileSync(yaml, "model: {path: hf://org/tiny}\nsft:\n  stepz: 1\n  data: {path: hf://datasets/org/../x}\n");
  hub.asked.length = 0;
  const error = await ballast("run", yaml).catch((error: unknown) => error as Error);
  expect(error).toMatchObject({ message: expect.stringContaining("stepz") });
  expect((error as Error).message).toMatch(/sft\.data\.path: hf:.* names nothing on the Hub/);
  expect(hub.asked).toEqual([]);
  await ballast("pull", "--dataset", "org/rows");
  writeFileSync(yaml, "model: {path: hf://org/tiny}\nsft:\n  data: {path: hf://datasets/org/rows}\n");
  await expect(ballast("run", yaml)).rejects.toThrow(
    /is a whole data set: name its file or files.* it has train\.jsonl/,
  );
});
