import { describe, expect, it } from "vitest";
import { configSchema } from "../settings/config-schema.ts";
import { liveSettings } from "../settings/live-settings.ts";
import { stages } from "../types/records.ts";
import { applyChange, hyperparameters, settingOf } from "./live-changes.ts";

const config = configSchema.parse({
  demo: {},
  sft: {},
  reward: {},
  ppo: {
    dualClip: 3,
    criticLearningRate: 1e-5,
    kl: { controller: "ziegler", target: 1 },
    penalty: { target: 1 },
    layerRates: {},
    slowCritic: {},
    clipSchedule: "phases",
  },
});

const change = (key: string, value: number | string | boolean | null) =>
  applyChange({ config, stage: "ppo", section: config.ppo!, change: { key, value } });

describe("a change of a setting", () => {
  it("makes a new section, and leaves the old one", () => {
    const changed = change("ppo.kl.coef", 0.2);
    expect(changed.kl).toEqual({ ...config.ppo!.kl, coef: 0.2 });
    expect(config.ppo!.kl.coef).toBe(0.05);
    expect(change("ppo.dualClip", null).dualClip).toBeNull();
  });

  it.each([
    ["ppo.epochs", 0, "ppo.epochs: expected a whole number from 1, found 0"],
    ["ppo.learningRate", "fast", "ppo.learningRate: expected a number above 0, found fast"],
    ["ppo.minibatches", 3, "ppo.sequences 512 is not divisible by 3 minibatches; try 510 or 513"],
    ["ppo.iterations", 5, "ppo.iterations cannot be changed while ppo runs"],
    ["reward.learningRate", 5, "reward.learningRate cannot be changed while ppo runs"],
    ["learningRate", 5, "learningRate cannot be changed while ppo runs"],
  ])("%s to %s is refused in words", (key, value, message) => {
    expect(() => change(key, value)).toThrow(message);
  });

  it("that the algorithm has no use for is refused, and not proposed", () => {
    const section = configSchema.parse({ ppo: { algorithm: "rloo", responsesPerPrompt: 4 } }).ppo!;
    const rloo = (key: string) => () =>
      applyChange({ config: { ...config, ppo: section }, stage: "ppo", section, change: { key, value: 2 } });
    for (const key of ["ppo.epochs", "ppo.clipHigh", "ppo.lambda", "ppo.penalty.beta", "ppo.criticLearningRate"])
      expect(rloo(key), key).toThrow(`${key} cannot be changed while ppo runs`);
    expect(rloo("ppo.minibatches")().minibatches).toBe(2);
    const keys = hyperparameters("ppo", section).map(({ key }) => key);
    expect(keys).toContain("ppo.algorithm");
    expect(keys.filter((key) => /critic|clip[LHSW]|epochs|gamma|penalty/.test(key))).toEqual([]);
  });

  it("exists for every setting that is called live", () => {
    for (const stage of stages)
      for (const name of liveSettings[stage]) {
        if (name === "valueCoef") continue;
        const key = `${stage}.${name}`;
        const section = config[stage]!;
        expect(settingOf(stage, section, key), key).not.toBeUndefined();
        const value = settingOf(stage, section, key) as number;
        expect(applyChange({ config, stage, section, change: { key, value } })).toEqual(section);
      }
  });
});

it("hyperparameters are numbers, words and switches, in sections below too", () => {
  const written = Object.fromEntries(hyperparameters("ppo", config.ppo!).map(({ key, value }) => [key, value]));
  expect(written).toMatchObject({
    "ppo.kl.target": 1,
    "ppo.kl.controller": "ziegler",
    "ppo.penalty.beta": 1,
    "ppo.layerRates.embeddings": 0.5,
    "ppo.slowCritic.decay": 0.995,
    "ppo.stopEpochsAtKl": null,
    "ppo.clipLow": 0.2,
    "ppo.dualClip": 3,
  });
  expect(Object.keys(written).some((key) => key.includes("rewards"))).toBe(false);
});
