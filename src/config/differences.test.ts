import { expect, it } from "vitest";
import { differences } from "./differences.ts";
import { parseConfig } from "./load-config.ts";

it("lists what changed, appeared and disappeared, and nothing else", () => {
  const text = "demo: {}\nsft: {}\nreward: {}\nppo:\n  rewards: [{kind: model}, {kind: length, max: 9}]\n";
  const load = (...overrides: string[]) => parseConfig(text, "a.yaml", overrides).config;
  expect(differences(load(), load())).toEqual([]);
  expect(
    differences(
      load("sft=null", "sft.steps=300"),
      load("seed=2", "sft.steps=5", "ppo.maxGradNorm=null", "ppo.rewards.1={kind: exact}", "name=x"),
    ),
  ).toEqual([
    { key: "seed", before: 1, after: 2 },
    { key: "sft.steps", before: 300, after: 5 },
    { key: "ppo.rewards.1.kind", before: "length", after: "exact" },
    { key: "ppo.rewards.1.min", before: 0, after: undefined },
    { key: "ppo.rewards.1.max", before: 9, after: undefined },
    { key: "ppo.rewards.1.slack", before: 0, after: undefined },
    { key: "ppo.maxGradNorm", before: 1, after: null },
    { key: "name", before: undefined, after: "x" },
  ]);
});

it("sees a whole stage come and go", () => {
  const with_ = parseConfig("demo: {}\nsft: {}\n", "a.yaml").config;
  const without = parseConfig("demo: {}\n", "a.yaml").config;
  const keys = differences(without, with_).map(({ key }) => key);
  expect(keys).toContain("sft.steps");
  expect(keys.every((key) => key.startsWith("sft."))).toBe(true);
});

it("shows no setting that has no effect in either", () => {
  const load = (...overrides: string[]) =>
    parseConfig("demo: {}\nsft: {}\nreward: {}\nppo: {}\n", "a.yaml", overrides).config;
  expect(differences(load(), load("tokenizer.vocabularySize=9", "ppo.clipWide=0.4", "ppo.penalty.beta=3"))).toEqual([]);
  expect(differences(load(), load("ppo.clipSchedule=phases", "ppo.clipWide=0.4"))).toHaveLength(2);
});
