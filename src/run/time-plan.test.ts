/** The time of an iteration, measured on the policy's shape, for whole models and adapters. */
import { expect, test } from "vitest";
import { type Config, loadConfig } from "../config/index.ts";
import { planMemory } from "./memory-plan.ts";
import { planTime } from "./time-plan.ts";

const sizes = ["model.layers=4", "ppo.sequences=8", "ppo.minibatches=2", "threads=1", "model.context=64"];

test.each([false, true])("adds up its parts, each above 0 (adapter: %s)", async (adapted) => {
  const whole = loadConfig("examples/helpdesk/mini.yaml", sizes).config;
  const config = (adapted ? { ...whole, lora: { rank: 4, alpha: 8, rslora: false } } : whole) as Config;
  const online = { ...config, sft: undefined, reward: undefined };
  const plan = planMemory(online, { vocabularySize: 500, lengths: { ppo: [12, 20] } });
  const { generation, passes, update, total } = await planTime(config, plan);
  expect(Math.min(generation, passes, update)).toBeGreaterThan(0);
  expect(total).toBeCloseTo(generation + passes + update, 9);
});

test("an adapter that stands only in late layers, or in one, is timed", async () => {
  const whole = loadConfig("examples/helpdesk/mini.yaml", sizes).config;
  const adapted = { ...whole, lora: { rank: 4, alpha: 8, rslora: false }, sft: undefined, reward: undefined };
  const plan = planMemory(adapted as Config, { vocabularySize: 500, lengths: { ppo: [12, 20] } });
  const { adapter } = plan.policy;
  for (const layers of [/\.3\./, /\.[23]\./, /\.0\./]) {
    const modules = adapter!.modules.filter(({ name }) => layers.test(name));
    const policy = { ...plan.policy, adapter: { ...adapter!, modules } };
    let now = 0;
    expect((await planTime(adapted as Config, { ...plan, policy }, () => now++)).update).toBeGreaterThan(0);
  }
});

test("counts every call of an iteration, on the clock that it is given", async () => {
  const config = loadConfig("examples/helpdesk/mini.yaml", sizes).config;
  const online = { ...config, sft: undefined, reward: undefined };
  const plan = planMemory(online, { vocabularySize: 500, lengths: { ppo: [12, 20] } });
  // Every call takes one second, whatever the layers: a model then takes as long as one of one layer.
  let now = 0;
  const { generation, passes, update } = await planTime(config, plan, () => now++);
  const { sequences, epochs, minibatches, maxNewTokens } = config.ppo!;
  const perEpoch = Math.ceil(sequences / plan.pass.sequences);
  expect(generation).toBe(maxNewTokens / 16);
  // Policy, reference, critic and reward model.
  expect(passes).toBe(4 * perEpoch);
  expect(update).toBe(2 * (epochs * perEpoch + epochs * minibatches));
});
