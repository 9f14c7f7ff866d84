/** TRL's loop over a whole run: it goes on where it was left, the controller stops it, and nothing odd is taken in silence. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { tinyModel } from "../../test/support/tiny-model.ts";
import { defaultRules } from "../control/rules/load-rules.ts";
import { createEmbeddedEngine } from "../engine/embedded/index.ts";
import { openStore } from "../store/index.ts";
import type { EventRecord } from "../types/records.ts";
import { StoppedByController, UsageError } from "../util/errors.ts";
import { type BallastSettings, PPOConfig, type PPOConfigOptions } from "./ppo-config.ts";
import { PPOTrainer } from "./ppo-trainer.ts";
import { AutoModelForCausalLM, AutoTokenizer } from "./pretrained.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-library-"));
const model = join(folder, "model");
const workspace = join(folder, "runs");
beforeAll(() => tinyModel(model, { context: 32 }));
afterAll(() => rmSync(folder, { recursive: true }));

async function trainerOf(options: Partial<PPOConfigOptions>, settings: BallastSettings = {}) {
  const events: EventRecord[] = [];
  const small = { batch_size: 8, mini_batch_size: 4, ppo_epochs: 1, learning_rate: 1e-3, seed: 3 };
  const config = new PPOConfig(
    { model_name: model, ...small, ...options },
    { workspace, threads: 1, ...settings, control: { noise: { every: 0 }, ...settings.control } },
  );
  const policy = await AutoModelForCausalLM.fromPretrained(model);
  const tokenizer = await AutoTokenizer.fromPretrained(model);
  return {
    events,
    trainer: new PPOTrainer(config, policy, null, tokenizer, { onEvent: (event) => events.push(event) }),
  };
}

const queries = Array.from({ length: 8 }, (_, b) => (b % 2 === 0 ? "say hello" : "name a colour"));
const scores = (responses: readonly string[]) => responses.map((text) => text.split(".").length - 1);

async function batchOf(trainer: PPOTrainer) {
  const responses = await trainer.generate(queries, { max_new_tokens: 6 });
  return { responses, statistics: await trainer.step(queries, responses, scores(responses)) };
}

it.each(["rloo", "grpo"] as const)("trains with %s on groups of responses to the same query", async (algorithm) => {
  const settings = { ppo: { algorithm, responsesPerPrompt: 4 } };
  const { trainer } = await trainerOf({ exp_name: algorithm, ppo_epochs: undefined }, settings);
  const grouped = Array.from({ length: 8 }, (_, b) => (b < 4 ? "say hello" : "name a colour"));
  const responses = await trainer.generate(grouped, { max_new_tokens: 6 });
  // Alternating queries would be compared with each other.
  await expect(trainer.step(queries, responses, scores(responses))).rejects.toThrow(
    `${algorithm} compares 4 responses to the same query, and query 1 is not query 0`,
  );
  const rewards = responses.map((_, b) => b % 4);
  const statistics = await trainer.step(grouped, responses, rewards);
  expect(statistics["reward/score_mean"]).toBe(1.5);
  expect(statistics["settings/responses_per_prompt"]).toBe(4);
  expect(statistics["gradient/policy_norm"]).toBeGreaterThan(0);
  expect(Object.keys(statistics).filter((key) => key.startsWith("value/"))).toEqual([]);
  expect((await trainer.finish()).steps).toBe(1);
});

it("refuses TRL's option of something that the algorithm does not have, by Ballast's name", async () => {
  const { trainer } = await trainerOf({ exp_name: "odd", vf_coef: 0.5 }, { ppo: { algorithm: "grpo" } });
  await expect(trainer.open()).rejects.toThrow("ppo.valueCoef has no place in grpo, which has no critic: remove it");
});

it("goes on at the batch where it was left, with the responses and metrics of a loop that never stopped", async () => {
  const { trainer: whole } = await trainerOf({ exp_name: "whole" });
  expect(await whole.open()).toBe(0);
  const wanted = [await batchOf(whole), await batchOf(whole), await batchOf(whole)];
  expect(whole.batch).toBe(3);
  expect((await whole.finish()).steps).toBe(3);
  expect(wanted[0]!.statistics["reward/score_mean"]).toBe(
    scores(wanted[0]!.responses).reduce((sum, score) => sum + score, 0) / 8,
  );

  const { trainer: first } = await trainerOf({ exp_name: "parted" });
  await batchOf(first);
  await first.close();
  const { trainer: second, events } = await trainerOf({ exp_name: "parted" });
  expect(await second.open()).toBe(1);
  expect(second.run!.id).toBe("parted-1");
  const found = [await batchOf(second), await batchOf(second)];
  await second.finish();
  const lasting = (values: object) => Object.entries(values).filter(([key]) => !/^(time|machine)\//.test(key));
  for (const [i, { responses, statistics }] of found.entries()) {
    expect(responses).toEqual(wanted[i + 1]!.responses);
    expect(lasting(statistics)).toEqual(lasting(wanted[i + 1]!.statistics));
  }
  expect(events.map(({ kind }) => kind)).toContain("resumed");
  const store = openStore(join(workspace, "ballast.db"), { readonly: true });
  expect(store.series("parted-1", "ppo", "reward/score_mean").points).toHaveLength(3);
  store.close();
});

it("says what differs if an unfinished run is gone on with under other settings", async () => {
  const { trainer } = await trainerOf({ exp_name: "other" });
  await batchOf(trainer);
  await trainer.close();
  const { trainer: changed } = await trainerOf({ exp_name: "other", cliprange: 0.1 });
  await expect(changed.open()).rejects.toThrow("ppo.clipLow 0.2, now 0.1");
});

it("is stopped by the controller, and waits for the decision", async () => {
  // Steps this large leave the policy that sampled at once.
  const { trainer } = await trainerOf({ exp_name: "stopped", learning_rate: 0.5, ppo_epochs: 4 });
  const stopped = await (async () => {
    for (let n = 0; n < 8; n++) await batchOf(trainer);
    return null;
  })().catch((error) => error);
  expect(stopped).toBeInstanceOf(StoppedByController);
  const { trainer: again } = await trainerOf({ exp_name: "stopped", learning_rate: 0.5, ppo_epochs: 4 });
  await expect(again.open()).rejects.toThrow("waits for a decision");
});

it("goes back with the controller: the batch number is lower, and the loop goes on from there", async () => {
  const rules = join(folder, "rules.yaml");
  const when = "{signal: update/epochs, above: 1}";
  const text = `id: back, tier: 2, source: a test, when: ${when}, minHistory: 3, action: {rollback: {ppo.epochs: 1}}, cooldown: 50`;
  writeFileSync(rules, `rules: [{${text}}]\n`);
  const { trainer, events } = await trainerOf(
    { exp_name: "back", ppo_epochs: 2, steps: 5 * 8 },
    { control: { profile: "adaptive", rules, disable: defaultRules().map(({ id }) => id) } },
  );
  const batches: number[] = [];
  for (let batch = await trainer.open(); batch < 5 && batches.length < 20; batch = trainer.batch) {
    batches.push(batch);
    const { statistics } = await batchOf(trainer);
    expect(statistics["reward/score_mean"]).toBeDefined();
  }
  await trainer.finish();
  expect(events.map(({ kind }) => kind)).toContain("rollback");
  expect(batches.some((batch, i) => batch <= (batches[i - 1] ?? -1))).toBe(true);
  expect(batches.at(-1)).toBe(4);
});

it("takes responses that the caller wrote, and refuses what is not a batch", async () => {
  const { trainer } = await trainerOf({ exp_name: "own" });
  const own = queries.map(() => "hello .");
  const values = await trainer.step(
    queries,
    own,
    own.map((_, b) => b / 8),
  );
  expect(values["response/length_mean"]).toBeGreaterThan(2);
  await expect(trainer.step(queries.slice(1), own, [])).rejects.toThrow("batch_size 8, and got 7 queries");
  await expect(
    trainer.step(
      queries,
      own,
      own.map(() => Number.NaN),
    ),
  ).rejects.toThrow("the reward of response 0 is NaN");
  await expect(trainer.generate(queries, { max_new_token: 3 } as never)).rejects.toThrow(
    "did you mean max_new_tokens?",
  );
  await trainer.close();
});

it("starts from an adapter's folder, with its base's tokenizer", { timeout: 60_000 }, async () => {
  const adapter = join(folder, "adapter");
  mkdirSync(adapter);
  const engine = await createEmbeddedEngine({ threads: 1 });
  const { id } = await engine.loadModel(model, { adapter: { rank: 2, alpha: 4 } });
  await engine.saveModel(id, adapter);
  await engine.close();
  const policy = await AutoModelForCausalLM.fromPretrained(adapter);
  expect(policy).toEqual({ folder: adapter, config: (await AutoModelForCausalLM.fromPretrained(model)).config });
  const tokenizer = await AutoTokenizer.fromPretrained(adapter);
  expect(tokenizer.folder).toBe(model);
  const options = { model_name: adapter, exp_name: "adapter", batch_size: 8, mini_batch_size: 4, ppo_epochs: 1 };
  const settings: BallastSettings = { workspace, threads: 1, control: { noise: { every: 0 } } };
  const trainer = new PPOTrainer(new PPOConfig(options, settings), policy, null, tokenizer);
  await batchOf(trainer);
  expect(existsSync(join((await trainer.finish()).folder, "model.safetensors"))).toBe(true);
});

it("names a folder that is not there", async () => {
  await expect(AutoModelForCausalLM.fromPretrained("gpt2-of-the-hub")).rejects.toThrow(UsageError);
});
