/** The models of a run as its plan counts them: an adapter's folder with its own ranks, and each copy of frozen weights once. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { saved, smallConfig } from "../../test/support/engine.ts";
import { temporaryFolder } from "../../test/support/gpt2.ts";
import { type Config, loadConfig } from "../config/index.ts";
import { EmbeddedCore } from "../engine/embedded/core.ts";
import { planMemory } from "./memory-plan.ts";
import { countParameters, FrozenParameters, onlineModels, trainedModel } from "./planned-models.ts";
import { planTorch } from "./torch-memory-plan.ts";

const core = new EmbeddedCore({ threads: 1 });
afterAll(() => core.close());

let [base, other, policy, reward, elsewhere] = ["", "", "", "", ""];
beforeAll(async () => {
  const whole = async (seed: number) => {
    const { id } = await core.createModel({ config: smallConfig, heads: ["lm"], seed });
    return (await saved(core, id)).folder;
  };
  const adapter = async (on: string, rank: number, head: "lm" | "scalar") => {
    const folder = temporaryFolder();
    const { id } = await core.loadModel(on, { adapter: { rank, alpha: 4 }, heads: [head] });
    await core.saveModel(id, folder);
    return folder;
  };
  [base, other] = [await whole(1), await whole(2)];
  [policy, reward, elsewhere] = [
    await adapter(base, 3, "lm"),
    await adapter(base, 2, "scalar"),
    await adapter(other, 2, "scalar"),
  ];
});

/** A run of PPO only. */
const runOf = (start: string, rewards: readonly string[], lora: boolean): Config => {
  const { config } = loadConfig("examples/helpdesk/mini.yaml");
  const components = rewards.map((path, i) => ({
    ...config.ppo!.rewards[0]!,
    kind: "model" as const,
    name: `r${i}`,
    path,
  }));
  return {
    ...{ ...config, sft: undefined, reward: undefined, model: { ...config.model, path: base } },
    ppo: { ...config.ppo!, policy: start, rewards: components },
    ...(lora && { lora: { rank: 9, alpha: 8, rslora: false } }),
  } as Config;
};
const facts = { vocabularySize: smallConfig.vocabularySize, lengths: { ppo: [4] } };
const ranks = ({ config }: { config: { adapter?: { modules: readonly { rank: number }[] } } }) =>
  new Set(config.adapter?.modules.map(({ rank }) => rank) ?? []);
const all = () => countParameters(smallConfig, ["lm"]);

test("an adapter's folder is trained on with its own ranks; policy, reference, critic and reward models stand on one copy of the base", () => {
  const config = runOf(policy, [reward, elsewhere], true);
  const models = onlineModels(config, facts.vocabularySize);
  expect([models.policy, models.reference, models.critic, ...models.rewards].map(ranks)).toEqual(
    [3, 3, 2, 2, 2].map((rank) => new Set([rank])),
  );
  const frozen = new FrozenParameters();
  const adapterOf = (of: typeof models.policy, head: "lm" | "scalar") => countParameters(of.config, [head], "trained");
  expect(frozen.below(models.policy)).toBe(all());
  expect(frozen.below(models.critic)).toBe(0);
  expect(frozen.of(models.reference, ["lm"])).toBe(adapterOf(models.policy, "lm"));
  const [own, foreign] = models.rewards;
  expect(frozen.of(own!, ["scalar"])).toBe(adapterOf(own!, "scalar"));
  expect(frozen.of(foreign!, ["scalar"])).toBe(all() + adapterOf(foreign!, "scalar"));
  const { lines } = planMemory(config, facts);
  const bytes = Object.fromEntries(lines.map(({ what, bytes }) => [what, bytes]));
  expect(bytes["frozen weights, shared by all adapters"]).toBe(4 * all());
  expect(bytes["policy: gradients"]).toBe(4 * adapterOf(models.policy, "lm"));
  expect(bytes["reward model r1"]).toBe(4 * (all() + adapterOf(foreign!, "scalar")));
  expect(planTorch(config, facts).lines.map(({ what }) => what)).toContain("frozen weights, shared by all adapters");
});

test("a new adapter on a whole folder has the run's rank, and its reference adds nothing", () => {
  const models = onlineModels(runOf(base, [reward], true), facts.vocabularySize);
  expect([models.policy, models.reference, models.critic].map(ranks)).toEqual([new Set([9]), new Set(), new Set([2])]);
  const frozen = new FrozenParameters();
  expect([frozen.below(models.policy), frozen.of(models.reference, ["lm"])]).toEqual([all(), 0]);
});

test("without lora an adapter is merged: policy and critic have all weights, the reference the adapter on its base", () => {
  const models = onlineModels(runOf(policy, [reward], false), facts.vocabularySize);
  expect([models.policy, models.critic, models.reference, models.rewards[0]!].map(ranks)).toEqual(
    [[], [], [3], [2]].map((of) => new Set(of)),
  );
  const frozen = new FrozenParameters();
  const adapter = countParameters(models.reference.config, ["lm"], "trained");
  expect([frozen.below(models.policy), frozen.of(models.reference, ["lm"])]).toEqual([0, all() + adapter]);
});

test("SFT on an adapter's folder merges it, and what follows has new adapters on the result", () => {
  const config = { ...runOf(policy, [], true), ppo: undefined } as Config;
  const { sft, reward: section } = loadConfig("examples/helpdesk/mini.yaml").config;
  const chained = { ...config, model: { ...config.model, path: policy }, sft, reward: section } as Config;
  const stages = (["sft", "reward"] as const).map((stage) => trainedModel(chained, facts.vocabularySize, stage));
  expect(stages.map(ranks)).toEqual([new Set([3]), new Set([9])]);
  const from = { ...chained, reward: { ...section!, from: reward } } as Config;
  expect(ranks(trainedModel(from, facts.vocabularySize, "reward"))).toEqual(new Set([2]));
});
