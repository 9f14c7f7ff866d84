/** A fork ends in the same bits as a run that had the later settings or rules from the start, and its record says where it comes from. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Config, checkedConfig } from "../config/index.ts";
import { defaultRules } from "../control/rules/load-rules.ts";
import { withStore } from "../store/index.ts";
import { forkRun } from "./fork-run.ts";
import { newRun } from "./new-run.ts";
import { openRun, type RunFacts } from "./open-run.ts";
import { runPipeline } from "./pipeline.ts";

const workspace = mkdtempSync(join(tmpdir(), "ballast-fork-"));
afterAll(() => rmSync(workspace, { recursive: true }));

const iterations = 6;
let whole: RunFacts;
let quiet: RunFacts;

function configOf(changes: { ppo?: object; control?: object } = {}): Config {
  const words = ["red", "green", "blue", "grey"];
  const rows = join(workspace, "prompts.jsonl");
  writeFileSync(rows, words.map((word) => `${JSON.stringify({ prompt: `say ${word}`, reference: word })}\n`).join(""));
  const rules = join(workspace, "rules.yaml");
  const acts = "tier: 2, says: epochs, when: {signal: update/epochs, above: 0}, minHistory: 4, action: {klCoef: 3}";
  writeFileSync(rules, `rules: [{id: acts, source: a test, ${acts}, duration: 2, cooldown: 50}]\n`);
  return checkedConfig({
    objective: "say it",
    workspace,
    seed: 3,
    threads: 1,
    model: { layers: 1, width: 16, heads: 2, context: 16 },
    tokenizer: { kind: "word" },
    ppo: {
      prompts: { path: rows },
      rewards: [{ kind: "length", max: 2, slack: 2 }],
      iterations,
      sequences: 8,
      minibatches: 2,
      epochs: 1,
      maxNewTokens: 4,
      learningRate: 0.01,
      checkpointEvery: 2,
      keep: 10,
      ...changes.ppo,
    },
    control: {
      profile: "adaptive",
      rules,
      // Only the test's own rule speaks.
      disable: defaultRules().map(({ id }) => id),
      monitor: { every: 0 },
      probes: { every: 0 },
      noise: { every: 0 },
      robustness: { every: 0 },
      ...changes.control,
    },
    evaluation: { samples: 4 },
  }).config;
}

const train = (facts: RunFacts) => openRun({ ...facts, allowChangedData: true }).train(runPipeline);
const weights = ({ place }: RunFacts) =>
  readFileSync(join(place.folder, "ppo", "final", "model.safetensors")).toString("base64");
const read = ({ place }: RunFacts, key: string) =>
  withStore(workspace, (store) => store.series(place.id, "ppo", key, {}).points.map(({ last }) => last));
const interventions = ({ place }: RunFacts) =>
  withStore(workspace, (store) =>
    store.events(place.id, { kind: "intervention", current: true }).rows.map(({ iteration }) => iteration),
  );

beforeAll(async () => {
  whole = newRun({ config: configOf(), name: "whole" });
  await train(whole);
  quiet = newRun({ config: configOf({ control: { interventions: "off" } }), name: "quiet" });
  await train(quiet);
}, 60_000);

it("with actions from its first one on, has the bits of a run with actions from the start", async () => {
  expect(interventions(whole)[0]).toBe(3);
  expect(weights(quiet)).not.toBe(weights(whole));
  const fork = await forkRun({ from: quiet.place, at: 3, config: configOf(), name: "fork" });
  expect(fork.step).toBe(2);
  await train(fork);
  expect(weights(fork)).toBe(weights(whole));
  for (const key of ["reward/score_mean", "kl/ref_k1_token", "settings/kl_multiplier", "gradient/policy_norm"])
    expect(read(fork, key)).toEqual(read(whole, key));
  expect(interventions(fork)).toEqual(interventions(whole));
  const said = withStore(workspace, (store) => store.events(fork.place.id, { kind: "note", current: true }).rows);
  expect(said.map(({ message }) => message)).toContain("forked from the run quiet-1 at iteration 2");
});

it("with other settings has them from there on, its history of settings says so, and a different reward is examined there", async () => {
  const path = join(workspace, "reward.ts");
  writeFileSync(path, "export default ({ response }: { response: string }) => response.length;\n");
  const rewards = [
    { kind: "length", max: 2, slack: 2 },
    { kind: "function", path },
  ];
  const config = configOf({
    ppo: { rewards, learningRate: 0.05, kl: { coef: 0.5 }, sequences: 4 },
    control: { interventions: "off" },
  });
  const fork = await forkRun({ from: quiet.place, at: 4, config, name: "other" });
  await train(fork);
  expect(read(fork, "kl/coef")).toEqual([0.05, 0.05, 0.05, 0.05, 0.5, 0.5]);
  expect(read(fork, "reward/score_mean").slice(0, 4)).toEqual(read(quiet, "reward/score_mean").slice(0, 4));
  expect(weights(fork)).not.toBe(weights(quiet));
  const changed = withStore(workspace, (store) => store.settings(fork.place.id, { current: true }).rows)
    .filter(({ iteration }) => iteration === 4)
    .map(({ key, before, value, cause }) => [key, before, value, cause]);
  expect(changed).toEqual(
    expect.arrayContaining([
      ["ppo.learningRate", 0.01, 0.05, "config"],
      ["ppo.kl.coef", 0.05, 0.5, "config"],
      ["ppo.sequences", 8, 4, "config"],
    ]),
  );
  const scaled = withStore(workspace, (store) => store.events(fork.place.id, { kind: "note", current: true }).rows)
    .filter(({ data }) => (data as { name?: string } | undefined)?.name === "function")
    .map(({ iteration }) => iteration);
  expect(scaled).toEqual([4]);
  await expect(forkRun({ from: fork.place, at: 1, config, name: "early" })).rejects.toThrow(
    "has no checkpoint of iteration 1",
  );
});
