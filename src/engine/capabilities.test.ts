/** A run that needs what its engine lacks is refused by name; what is only measured is absent. */
import { describe, expect, test } from "vitest";
import { configSchema } from "../settings/config-schema.ts";
import { UsageError } from "../util/errors.ts";
import {
  absentSignals,
  type Capabilities,
  checkCapabilities,
  everyCapability,
  isMovable,
  needs,
} from "./capabilities.ts";

const lacking = (lacks: Partial<Capabilities>) => ({
  name: "toy",
  capabilities: { ...everyCapability, ...lacks },
});
const plain = {
  control: { interventions: "off" },
  ppo: { entropyCoef: 0, maxGradNorm: null, rewards: [{ kind: "safety", weight: 1 }] },
};
const configOf = (ppo: object, rest: object = {}) =>
  configSchema.parse({ ...plain, ...rest, ppo: { ...plain.ppo, ...ppo } });

const thrown = (act: () => void): UsageError => {
  try {
    act();
  } catch (error) {
    return error as UsageError;
  }
  throw new Error("nothing was thrown");
};

describe("a toy engine that lacks a capability", () => {
  const refused: [keyof Capabilities, unknown, object, object, string][] = [
    ["scalarHeads", false, {}, {}, "ppo.algorithm=rloo or grpo"],
    ["truncatedSampling", false, { topK: 5 }, {}, "ppo.topK=0"],
    ["clone", false, { slowCritic: {} }, {}, "ppo.slowCritic=null"],
    ["clone", false, {}, { control: {} }, "control.interventions=off"],
    ["slowAverage", false, { slowCritic: {} }, {}, "ppo.slowCritic=null"],
    ["groupRates", false, { layerRates: {} }, {}, "ppo.layerRates=null"],
    ["dualClip", false, { dualClip: 3 }, {}, "ppo.dualClip=null"],
    ["entropyBonus", false, { entropyCoef: 0.01 }, {}, "ppo.entropyCoef=0"],
    ["klInLoss", false, { kl: { in: "loss" } }, {}, "ppo.kl.in=reward"],
    ["penalty", false, { policyLoss: "penalty" }, {}, "ppo.policyLoss=clip"],
    ["temperature", false, { temperature: 0.7 }, {}, "ppo.temperature=1"],
    ["temperature", false, {}, { evaluation: { temperature: 0.7 } }, "evaluation.temperature=1"],
    ["trainable", ["adapters"], {}, {}, "a section lora trains adapters"],
    ["clipping", "none", { maxGradNorm: 1 }, {}, "ppo.maxGradNorm=null"],
    ["reduction", "sequence-mean", {}, {}, "ppo.aggregation=sequence-mean"],
  ];
  test.each(refused)(
    "%s = %j: refused with what to do instead, and taken without the setting",
    (key, value, ppo, rest, instead) => {
      const info = lacking({ [key]: value });
      const check = () => checkCapabilities(info, configOf(ppo, rest));
      expect(check).toThrow(UsageError);
      expect(check).toThrow(`the engine toy has no ${needs[key].words}, which `);
      try {
        check();
      } catch (error) {
        expect((error as UsageError).hint).toContain(instead);
      }
      expect(() => checkCapabilities(lacking({}), configOf(ppo, rest))).not.toThrow();
      const always = ["scalarHeads", "trainable", "reduction"];
      if (!always.includes(key)) expect(() => checkCapabilities(info, configOf({}))).not.toThrow();
    },
  );

  const measured: [keyof Capabilities, string][] = [
    ["entropy", "entropy/std"],
    ["top1", "similarity/top1_agreement"],
    ["groupNorms", "gradient/policy/"],
    ["partNorms", "gradient/noise"],
    ["clone", "gradient/noise"],
    ["fullKl", "kl/old_new_full_token"],
  ];
  test.each(measured)("%s: its signals are absent", (key, prefix) => {
    const info = lacking({ [key]: false });
    expect(() => checkCapabilities(info, configOf({}))).not.toThrow();
    expect(absentSignals(info)).toContainEqual({ prefix, why: `the engine toy has no ${needs[key].words}` });
    expect(absentSignals(lacking({}))).toEqual([]);
  });

  test("adapters are trained only by an engine that can, and then not all weights need be", () => {
    const config = configOf({}, { lora: {}, model: { path: "base" } });
    expect(() => checkCapabilities(lacking({ trainable: ["all"] }), config)).toThrow(
      "the engine toy has no training of adapters, which the section lora needs",
    );
    for (const trainable of [["adapters"], ["all", "adapters"]] as const)
      expect(() => checkCapabilities(lacking({ trainable }), config)).not.toThrow();
  });

  test("a URI is read only by an engine of its scheme, and a refusal names its setting", () => {
    const reads = (...schemes: string[]) => lacking({ schemes });
    const config = configOf({ reference: "./TOY/folder" }, { model: { path: "toy://base" } });
    expect(() => checkCapabilities(reads("other", "toy"), config)).not.toThrow();
    const refused = "the engine toy has no way to read such a URI, which model.path=toy://base needs";
    const error = thrown(() => checkCapabilities(reads("other"), config));
    expect([error.message, error.hint]).toEqual([refused, "Instead: give model.path a folder or a URI other://."]);
    // Only the policy's engine loads it: the critic has its own, and starts from a folder.
    const routed = { ...reads("toy"), roles: { critic: reads() } };
    expect(() => checkCapabilities(routed, config)).toThrow("model.path=toy://base");
    const own = configOf({ reference: "r", critic: "c" }, { model: { path: "toy://base" } });
    expect(() => checkCapabilities(routed, own)).not.toThrow();
    const learned = configOf({ rewards: [{ kind: "model", weight: 1, path: "s3://judge" }] }, { model: { path: "p" } });
    expect(() => checkCapabilities(reads(), learned)).toThrow("ppo.rewards.0.path=s3://judge");
    expect(() => checkCapabilities(reads(), configOf({}, { model: { path: "C://models/base" } }))).not.toThrow();
  });

  test("what starts from SFT's result by default is refused on an engine of its own, if that result is elsewhere", () => {
    const roles = { critic: lacking({}), reference: lacking({}), reward: lacking({}) };
    const info = { ...lacking({ schemes: ["toy"] }), name: "far", roles };
    const [sft, reward] = [{ maxGradNorm: null }, { maxGradNorm: null }];
    const error = thrown(() => checkCapabilities(info, configOf({}, { sft })));
    for (const key of ["ppo.reference", "ppo.critic"])
      expect(error.message).toContain(
        `the engine toy cannot read the result of sft, which the engine far keeps, and ${key} is that by default`,
      );
    expect(error.hint).toContain("give ppo.critic a folder with weights");
    const given = { critic: "c", reference: "r" };
    expect(() => checkCapabilities(info, configOf(given, { sft, reward }))).toThrow("reward.from is that by default");
    const all = configOf({ reference: "r" }, { sft, reward: { ...reward, from: "f" } });
    for (const config of [configOf(given, { sft }), all]) expect(() => checkCapabilities(info, config)).not.toThrow();
    expect(() => checkCapabilities({ ...lacking({}), roles }, configOf({}, { sft }))).not.toThrow();
  });

  test("without rates by group no rule moves them", () => {
    const [all, none] = [lacking({}), lacking({ groupRates: false })];
    expect([all, none].map((info) => isMovable(info, "ppo.layerRates.embeddings"))).toEqual([true, false]);
    expect(isMovable(none, "ppo.learningRate")).toBe(true);
  });

  test("a role with an engine of its own is asked for what it has to do", () => {
    const info = { ...lacking({ scalarHeads: false }), roles: { critic: lacking({}) } };
    expect(() => checkCapabilities(info, configOf({}))).not.toThrow();
    expect(() => checkCapabilities(info, configOf({ criticKind: "shared" }))).toThrow("scalar heads");
    expect(() => checkCapabilities(lacking({ scalarHeads: false }), configOf({ algorithm: "rloo" }))).not.toThrow();
  });
});
