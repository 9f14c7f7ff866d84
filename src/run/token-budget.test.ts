import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { checkedConfig, loadConfig } from "../config/index.ts";
import { newRun } from "./new-run.ts";
import { withTokenBudget } from "./token-budget.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-budget-"));
afterAll(() => rmSync(folder, { recursive: true }));

const configOf = (ppo: object) =>
  checkedConfig({ objective: "prefer a over b", demo: {}, sft: {}, reward: {}, ppo }).config;
const sequences = (ppo: object, lengths: number[]) => withTokenBudget(configOf(ppo), lengths).ppo!.sequences;

it("as many sequences of mean prompt and longest response as a step holds, in whole minibatches and groups", () => {
  const ppo = { tokensPerStep: 1000, maxNewTokens: 20 };
  expect(sequences(ppo, [10, 20])).toBe(28); // 1000 / 35
  expect(sequences({ ...ppo, minibatches: 2 }, [10, 20])).toBe(56); // 2 x 1000 / 35 = 57.1
  expect(sequences({ ...ppo, minibatches: 2, responsesPerPrompt: 3 }, [10, 20])).toBe(54);
  expect(sequences({ sequences: 12 }, [10, 20])).toBe(12);
});

it("refuses a budget without room for a sequence, and two sizes of a step", () => {
  expect(() => sequences({ tokensPerStep: 30, maxNewTokens: 20 }, [15])).toThrow(
    "ppo.tokensPerStep 30 is too small: a sequence has 15 tokens of prompt and up to 20 of response, and a rollout is a multiple of 1",
  );
  expect(() => sequences({ tokensPerStep: 1e9, maxNewTokens: 1 }, [1])).toThrow("at most 1000000 are possible");
  expect(() => configOf({ tokensPerStep: 1000, sequences: 8 })).toThrow("keep one of them");
});

it("a run records the sequences that its budget gave", () => {
  writeFileSync(join(folder, "p.jsonl"), '{"prompt": "abcdefgh", "reference": "1"}\n'.repeat(30));
  const file = join(folder, "a.yaml");
  writeFileSync(
    file,
    "objective: prefer a over b\nmodel: {layers: 1, width: 8, heads: 1}\nppo: {prompts: {path: p.jsonl}, rewards: [{kind: exact}], tokensPerStep: 600, maxNewTokens: 20}\n",
  );
  const { place, config } = newRun({ config: loadConfig(file, [`workspace=${folder}`]).config, name: "a" });
  const recorded = JSON.parse(readFileSync(join(place.folder, "config.json"), "utf8"));
  const { ppo } = config;
  expect(recorded.ppo.sequences).toBe(ppo!.sequences);
  expect(ppo!.sequences).toBeGreaterThan(8);
  expect(ppo!.sequences).toBeLessThanOrEqual(600 / 28);
  writeFileSync(join(place.folder, "next.yaml"), "extends: config.json\nppo: {tokensPerStep: 6000}\n");
  expect(loadConfig(join(place.folder, "next.yaml")).config.ppo).toMatchObject({ sequences: 512, tokensPerStep: 6000 });
});
