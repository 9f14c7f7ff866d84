import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { BigramEngine } from "../../test/support/bigram-engine.ts";
import { prompts, sizes, temporaryFolder, tokenizer } from "../../test/support/stage.ts";
import type { HeadKind, ModelConfig } from "../engine/engine.ts";
import { type Config, configSchema } from "../settings/config-schema.ts";
import { UsageError } from "../util/errors.ts";
import { checkModels, checkReach } from "./check-models.ts";

const engine = new BigramEngine();

async function saved(name: string, heads: readonly HeadKind[], change: Partial<ModelConfig> = {}): Promise<string> {
  const folder = join(temporaryFolder(), name);
  mkdirSync(folder);
  const { id } = await engine.createModel({ config: { ...sizes, ...change }, heads, seed: 1 });
  await engine.saveModel(id, folder);
  return folder;
}

function check(sections: object, folder = temporaryFolder()): Promise<void> {
  const config: Config = configSchema.parse(sections);
  return checkModels({ engine, config, tokenizer, folder });
}

it("every model that does not fit the tokenizer, the policy or its part is named, in one error", async () => {
  const V = tokenizer.vocabularySize;
  const rewards = [
    { kind: "model", name: "small", path: await saved("small", ["scalar"], { vocabularySize: V - 1 }) },
    { kind: "comparison", name: "speaks", path: await saved("speaks", ["lm"]) },
    { kind: "model", name: "padded", path: await saved("padded", ["scalar"], { vocabularySize: V + 100 }) },
  ];
  const ppo = {
    policy: await saved("policy", ["lm"], { vocabularySize: V + 50 }),
    reference: await saved("scores", ["scalar"]),
    critic: await saved("short", ["lm"], { context: 31, vocabularySize: V - 2 }),
    rewards,
  };
  const error = await check({ ppo }).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(UsageError);
  expect((error as UsageError).message.split("\n")).toEqual([
    `ppo.reference: the model in ${ppo.reference} is a reward model or critic: it has no language head`,
    `ppo.critic: the model in ${ppo.critic} has a vocabulary of ${V - 2} tokens; the tokenizer writes ${V}`,
    `ppo.critic: the model in ${ppo.critic} reads 31 tokens; the policy writes up to 32`,
    `the reward small: the model in ${rewards[0]!.path} has a vocabulary of ${V - 1} tokens; the tokenizer writes ${V}`,
    `the reward speaks: the model in ${rewards[1]!.path} is not a reward model: it has no score`,
  ]);
});

it("a model may lack the rows of special tokens that nothing writes", async () => {
  const V = tokenizer.vocabularySize;
  const config = configSchema.parse({
    ppo: { policy: await saved("few", ["lm"], { vocabularySize: V - 1 }), rewards: [{ kind: "length", max: 3 }] },
  });
  const of = (smallestVocabulary: number) => ({
    engine,
    config,
    folder: temporaryFolder(),
    tokenizer: { ...tokenizer, smallestVocabulary },
  });
  await checkModels(of(V - 1));
  await expect(checkModels(of(V))).rejects.toThrow(/has a vocabulary of/);
});

it("a stage that is done needs no folder any more, one that is to come needs it", async () => {
  const run = temporaryFolder();
  const sections = {
    model: { path: join(temporaryFolder(), "gone") },
    sft: {},
    ppo: { rewards: [{ kind: "length", max: 3 }] },
  };
  await expect(check(sections, run)).rejects.toThrow(/cannot read .*gone/);
  mkdirSync(join(run, "sft", "final"), { recursive: true });
  await check(sections, run);
});

it("a reward model reads the longest prompt with the longest response", async () => {
  const rewardModels = { judge: await saved("judge", ["scalar"], { context: 9 }) };
  const [short, long] = prompts("a", "a b c d");
  await checkReach(engine, { rewardModels, prompts: [short!], maxNewTokens: 9 - short!.tokens.length });
  await expect(checkReach(engine, { rewardModels, prompts: [short!, long!], maxNewTokens: 6 })).rejects.toThrow(
    `the reward model of judge in ${rewardModels.judge} reads 9 tokens; the longest prompt has ${long!.tokens.length}, and a response up to 6`,
  );
});
