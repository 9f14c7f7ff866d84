import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { templateNames } from "./extends-chain.ts";
import { loadConfig, recordedConfig } from "./load-config.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-extends-"));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "prompts.jsonl"), '{"prompt": "a", "reference": "1"}\n'.repeat(40));

function write(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
  return path;
}

const ppo = "objective: prefer a over b\nppo: {prompts: {path: prompts.jsonl}, rewards: [{kind: exact}]";

describe("what a file extends", () => {
  it("sections merge, lists and values replace, null removes, and paths are relative to their own file", () => {
    write("data/rows.jsonl", '{"prompt": "a", "completion": "b"}\n');
    write(
      "data/base.yaml",
      "sft: {data: {path: rows.jsonl, limit: 3}, steps: 7}\nppo: {kl: {coef: 0.2, target: 0.1}, maxGradNorm: 2, stopStrings: [a, b]}\n",
    );
    const file = write(
      "mine.yaml",
      `extends: data/base.yaml\nmodel: {layers: 2}\n${ppo}, kl: {coef: 0.1}, maxGradNorm: null, stopStrings: [c]}\n`,
    );
    const { config } = loadConfig(file);
    expect(config.sft).toMatchObject({
      steps: 7,
      data: { path: relative(".", join(folder, "data/rows.jsonl")), limit: 3 },
    });
    expect(config.ppo).toMatchObject({ kl: { coef: 0.1, target: 0.1 }, maxGradNorm: null, stopStrings: ["c"] });
    expect(config.extends).toBeUndefined();
    const only = write("only.yaml", "extends: mine.yaml\nsft: null\nppo: {prompts: {path: data/rows.jsonl}}\n");
    const { config: changed } = loadConfig(only);
    expect(changed.sft).toBeUndefined();
    expect(changed.ppo!.prompts).toEqual({
      ...{ path: relative(".", join(folder, "data/rows.jsonl")), fields: {}, limit: 0, badRows: "error" },
    });
  });

  it("a source that names its own path, or a component of a different kind, replaces the former whole", () => {
    write(
      "base.yaml",
      "model: {layers: 2}\nppo: {gold: {kind: last_number, marker: '='}, prompts: {path: p.csv, limit: 2}}\n",
    );
    const file = write("mine.yaml", `extends: base.yaml\n${ppo}, gold: {kind: exact}}\n`);
    const { config } = loadConfig(file);
    expect(config.ppo).toMatchObject({ gold: { kind: "exact" }, prompts: { limit: 0 } });
    expect(config.ppo!.gold).not.toHaveProperty("marker");
  });

  it("a mistake has the line of the file that made it", () => {
    const base = write("base.yaml", "seed: 1\nppo: {epochs: 0}\n");
    const file = write("mine.yaml", `extends: base.yaml\n${ppo}, sequences: 0}\n`);
    expect(() => loadConfig(file)).toThrow(`${base}:2: ppo.epochs: expected a whole number from 1, found 0`);
    expect(() => loadConfig(file)).toThrow(`${file}:3: ppo.sequences`);
    expect(() => loadConfig(file, ["ppo.epochs=1", "ppo.sequences=4"])).not.toThrow();
  });

  it("an unknown base, a missing file, a circle and a key without a value are mistakes", () => {
    const says = (text: string) => {
      try {
        loadConfig(write("mine.yaml", text));
      } catch (error) {
        return String((error as Error).message).replaceAll(`${folder}/`, "");
      }
      return "";
    };
    expect(says("seed: 1\nextends: smal\n")).toBe(
      "mine.yaml:2: extends: there is no template smal; did you mean small?",
    );
    expect(says("extends: gone.yaml\n")).toBe("mine.yaml:1: extends: there is no file gone.yaml");
    expect(says("extends: mine.yaml\n")).toContain("leads back to mine.yaml itself");
    expect(says("extends: [small]\n")).toContain("extends: expected text, found a list");
    write("base.yaml", "sft: {data: {path: prompts.jsonl}}\n");
    expect(says("extends: base.yaml\nsft:\n")).toContain(
      "mine.yaml:2: sft: expected a section of keys and values, found nothing",
    );
    expect(() => loadConfig(null, ["extends=small"])).toThrow("override extends: there is no file");
  });

  it("an override names a template in place of the file's own", () => {
    const file = write("mine.yaml", `extends: just\n${ppo}}\n`);
    expect(loadConfig(file).config.ppo!.learningRate).toBe(1e-6);
    expect(loadConfig(file, ["extends=large"]).config.ppo).toMatchObject({ learningRate: 5e-7, microBatch: 16 });
  });

  const examples = readdirSync("examples", { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".yaml") && !name.includes("gsm8k"))
    .map((name) => join("examples", name));
  it.each(examples)("the record of a run of %s is extended without a mistake or a warning", (example) => {
    const { config } = loadConfig(example);
    const run = join(folder, "runs", example.replaceAll("/", "-"));
    mkdirSync(run, { recursive: true });
    const sizes = { layers: 2, width: 8 };
    const recorded = { ...config, model: { ...config.model, ...(config.model.path && sizes) } };
    writeFileSync(join(run, "config.json"), recordedConfig(recorded, run));
    const next = join(run, "next.yaml");
    writeFileSync(next, "extends: config.json\nseed: 9\n");
    const loaded = loadConfig(next);
    expect(loaded.config).toEqual({ ...config, seed: 9 });
    expect(loaded.warnings.filter((line) => !line.includes("there is no folder"))).toEqual([]);
  });
});

it.each([
  ["just", { sequences: 512, schedule: "constant", clipSchedule: "constant", warmup: 0 }],
  ["small", { sequences: 512, learningRate: 1e-6, clipHigh: 0.2, maxGradNorm: 1 }],
  ["large", { sequences: 256, microBatch: 16, learningRate: 5e-7, maxGradNorm: 0.5 }],
  ["staged", { clipSchedule: "phases", schedule: "cosine", slowCritic: { decay: 0.995 } }],
  ["laptop", { sequences: 256, minibatches: 2, learningRate: 2e-4 }],
  ["gpu24", { sequences: 512, learningRate: 1e-5, microBatch: 8 }],
])("the template %s loads without a warning and sets what it says", (name, settings) => {
  const { config, warnings } = loadConfig(write(`${name}.yaml`, `extends: ${name}\nmodel: {path: .}\n${ppo}}\n`));
  expect(warnings).toEqual([]);
  expect(config.ppo).toMatchObject(settings);
  expect(readFileSync(join("templates", `${name}.yaml`), "utf8")).toMatch(/^# Source: /m);
});

it("every template is in the test above", () => {
  expect(templateNames()).toEqual(["gpu24", "just", "laptop", "large", "small", "staged"]);
});
