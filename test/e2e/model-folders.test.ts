/** Runs from a sharded bf16 folder: they repeat and resume to the bit, and folders that cannot be used end before a run is left behind. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { convertModelFolder } from "../../src/models/hf-folder.ts";
import { tinyModel } from "../support/tiny-model.ts";
import { ballast, seen, start, tinyFolder, weights } from "./ballast.ts";

const folder = tinyFolder();
afterAll(() => rmSync(folder, { recursive: true }));

const shard = "model-00002-of-00004.safetensors";
const index = "model.safetensors.index.json";
const tokenizerFiles = ["tokenizer.json", "tokenizer_config.json", "generation_config.json"];

beforeAll(async () => {
  const whole = join(folder, "whole");
  await tinyModel(whole, { context: 24 });
  const sharded = join(folder, "sharded");
  mkdirSync(sharded);
  convertModelFolder(whole, sharded, { format: "BF16", shardBytes: 3000 });
  for (const name of tokenizerFiles) cpSync(join(whole, name), join(sharded, name));
  writeFileSync(join(folder, "ones.mjs"), "export default ({ response }) => response.length % 7;");
  writeFileSync(
    join(folder, "folder.yaml"),
    `
name: folder
threads: 1
objective: Any.
model: {path: sharded}
tokenizer: {kind: file, path: sharded}
ppo: {prompts: {path: prompts.jsonl}, iterations: 8, sequences: 8, maxNewTokens: 6, learningRate: 1.0e-3, checkpointEvery: 3, rewards: [{kind: function, path: ones.mjs}]}
evaluation: {samples: 8}
control: {profile: adaptive, disable: [kl_hard, kl_step, ref_kl_hard, ref_drift_hard, reward_jump]}
`,
  );
});

/** A copy of the sharded folder, changed. */
function changed(name: string, change: (folder: string) => void): string {
  const copy = join(folder, name);
  cpSync(join(folder, "sharded"), copy, { recursive: true });
  change(copy);
  return name;
}

// biome-ignore lint/suspicious/noExplicitAny: files of other programs
function editJson(path: string, edit: (json: any) => unknown): void {
  writeFileSync(path, JSON.stringify(edit(JSON.parse(readFileSync(path, "utf8")))));
}

const ppo = (model: string, name: string) =>
  ["ppo", "folder.yaml", `name=${name}`, `model.path=${model}`, `tokenizer.path=${model}`] as const;

describe("a sharded bf16 folder", () => {
  it("trains, answers and is evaluated; a run that was killed resumes to the same bits, unless a shard has changed", async () => {
    const copy = changed("copy", () => {});
    const whole = await ballast(folder, ...ppo("sharded", "whole"));
    expect(whole.code, whole.stderr).toBe(0);
    const running = start(folder, ...ppo(copy, "killed"));
    await seen(running, /iteration [4-8]\/8/);
    running.child.kill("SIGKILL");
    await running.ended;
    expect(existsSync(join(folder, "runs/killed-1/ppo/final"))).toBe(false);
    const path = join(folder, copy, shard);
    const bytes = readFileSync(path);
    const other = Buffer.from(bytes);
    other[other.length - 1]! ^= 1;
    writeFileSync(path, other);
    const refused = await ballast(folder, "resume", "killed-1");
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining("is not the one that the run began with"),
    ]);
    writeFileSync(path, bytes);
    const resumed = await ballast(folder, "resume", "killed-1");
    expect(resumed.code, resumed.stderr).toBe(0);
    const runs = join(folder, "runs");
    expect(weights(join(runs, "killed-1"), "ppo").equals(weights(join(runs, "whole-1"), "ppo"))).toBe(true);
    for (const args of [
      ["eval", "whole-1", "--samples", "8"],
      ["generate", "sharded", "say red"],
      ["doctor", "folder.yaml"],
    ]) {
      const { code, stdout, stderr } = await ballast(folder, ...args);
      // The doctor finds fault with so small a run.
      expect(code, stderr).toBe(args[0] === "doctor" ? 1 : 0);
      expect(stdout).not.toBe("");
    }
  });

  it("is exported in another format, answers the same, and never overwrites", async () => {
    const args = ["export", "sharded", "--format", "model", "--dtype", "fp16", "--out", "half"];
    const { code, stderr } = await ballast(folder, ...args);
    expect([code, stderr]).toEqual([0, expect.stringMatching(/sharded written to half as fp16: .* MB in one file/)]);
    const [a, b] = await Promise.all(["sharded", "half"].map((model) => ballast(folder, "generate", model, "say red")));
    expect(b!.stdout).toBe(a!.stdout);
    const again = await ballast(folder, ...args);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("half exists already")]);
    const without = await ballast(folder, "export", "sharded", "--format", "model");
    expect([without.code, without.stderr]).toEqual([2, expect.stringContaining("Name a new one: --out DIR")]);
    const csv = await ballast(folder, "export", "whole-1", "--dtype", "bf16");
    expect([csv.code, csv.stderr]).toEqual([2, expect.stringContaining("--dtype bf16 is for models only")]);
  });
});

describe("a folder that cannot be used", () => {
  const cases: [what: string, change: (copy: string) => void, code: number, message: string | RegExp][] = [
    [
      "a missing shard",
      (copy) => rmSync(join(copy, shard)),
      1,
      `lacks 1 of the 4 shards that ${index} names: ${shard}`,
    ],
    ["a shard cut off", (copy) => truncateSync(join(copy, shard), 500), 1, `${shard} is truncated or damaged`],
    [
      "sizes that contradict the tensors",
      (copy) => editJson(join(copy, "config.json"), (json) => ({ ...json, n_embd: 32 })),
      1,
      /transformer\.wte\.weight has shape \[\d+,16\], config\.json wants \[\d+,32\]/,
    ],
    [
      "a vocabulary above the embedding",
      (copy) =>
        editJson(join(copy, "tokenizer.json"), ({ model, ...json }) => {
          const vocab = { ...model.vocab, more: Object.keys(model.vocab).length + 9 };
          return { ...json, model: { ...model, vocab } };
        }),
      2,
      /has a vocabulary of \d+ tokens; the tokenizer writes \d+/,
    ],
    [
      "nothing in it",
      (copy) => {
        rmSync(copy, { recursive: true });
        mkdirSync(copy);
      },
      1,
      `holds no weights: it has neither model.safetensors nor ${index}`,
    ],
    ["no tokenizer", (copy) => rmSync(join(copy, "tokenizer.json")), 1, "tokenizer.json does not exist"],
  ];

  it.concurrent.each(cases)("%s", async (what, change, code, message) => {
    const name = what.replaceAll(" ", "-");
    changed(name, change);
    const { code: found, stderr } = await ballast(folder, ...ppo(name, name), "workspace=unused");
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ {4}at |bug in Ballast/m);
    expect(found, stderr).toBe(code);
  });

  it("leaves no run behind", () => {
    expect(existsSync(join(folder, "unused", "nothing-in-it-1"))).toBe(false);
    for (const [what] of cases)
      expect(existsSync(join(folder, "unused", `${what.replaceAll(" ", "-")}-1`)), what).toBe(false);
  });

  it("no padding token is none of these: the run says what is used", async () => {
    const model = changed("unpadded", (copy) =>
      editJson(join(copy, "tokenizer_config.json"), ({ pad_token, ...json }) => json),
    );
    const { code, stderr } = await ballast(folder, ...ppo(model, "unpadded"), "ppo.iterations=1");
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/no padding token of its own: .* names <eos> \(1\) for it/);
    const saved = (file: string) => JSON.parse(readFileSync(join(folder, "runs/unpadded-1/ppo/final", file), "utf8"));
    expect([saved("config.json").pad_token_id, saved("generation_config.json").pad_token_id]).toEqual([null, 1]);
  });
});
