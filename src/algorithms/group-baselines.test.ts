/** RLOO and GRPO on the bigram engine: what both must do, and how they differ. */
import { describe, expect, it } from "vitest";
import type { BigramEngine } from "../../test/support/bigram-engine.ts";
import { runPpo, word } from "../../test/support/run-ppo.ts";
import { newWorld, tokenizer } from "../../test/support/stage.ts";
import { defaultRules } from "../control/rules/load-rules.ts";
import type { PolicyLoss } from "../engine/engine.ts";

/** The settings that the configuration's reader sets for each (settings/algorithm-table.ts). */
const own = {
  rloo: { algorithm: "rloo", responsesPerPrompt: 4, aggregation: "sequence-sum" },
  grpo: { algorithm: "grpo", responsesPerPrompt: 4, aggregation: "sequence-mean", kl: { in: "loss", estimator: "k3" } },
};
const both = ["rloo", "grpo"] as const;
const of = (name: (typeof both)[number], ppo: object = {}) => ({ ...own[name], ...ppo });

/** The first policy loss requested. */
async function firstLoss(ppo: object, options: Parameters<typeof runPpo>[0] = {}): Promise<PolicyLoss> {
  let seen: PolicyLoss | null = null;
  const prepare = (engine: BigramEngine) => {
    engine.before = (verb, [, loss]) => {
      if (verb === "forwardBackward") seen ??= loss as PolicyLoss;
    };
  };
  await runPpo({ ...options, prepare, ppo: { iterations: 1, minibatches: 1, microBatch: 16, ...ppo } });
  return seen!;
}

describe.each(both)("%s", (name) => {
  it("makes the rewarded token near certain", async () => {
    const { curve, weights } = await runPpo({ ppo: of(name, { iterations: 80, sequences: 32, kl: { coef: 0 } }) });
    const { W } = JSON.parse(weights) as { W: number[] };
    const V = tokenizer.vocabularySize;
    const row = W.slice(word("a") * V, (word("a") + 1) * V);
    const total = row.reduce((sum, z) => sum + Math.exp(z), 0);
    expect(Math.exp(row[word("a")]!) / total).toBeGreaterThan(0.9);
    expect(curve.get(0)!["reward/score_mean"]).toBeLessThan(1.5);
    expect(curve.get(79)!["reward/score_mean"]).toBeGreaterThan(5);
  });

  it("holds no critic, and says nothing of one", async () => {
    let models = 0;
    const prepare = (engine: BigramEngine) => {
      engine.before = () => {
        models = Math.max(models, engine.models.size);
      };
    };
    const control = { interventions: "off", noise: { every: 1 } };
    const { curve, world } = await runPpo({ ppo: of(name), prepare, rules: defaultRules(), control });
    // The policy, the reference, and for a moment the copy whose noise is measured.
    expect(models).toBe(3);
    const keys = [...curve.values()].flatMap((row) => Object.keys(row));
    expect(
      keys.filter((key) => /^value\/|critic|value_|gamma|lambda|health\/value_fit|sign_flip|strongly/.test(key)),
    ).toEqual([]);
    expect(keys).toEqual(expect.arrayContaining(["policy/loss", "gradient/policy_norm", "gradient/noise_trace"]));
    expect(curve.get(0)!["ratio/first_max_deviation"]).toBeLessThan(1e-12);
    expect(curve.get(0)!["health/total"]).toBeGreaterThan(0);
    const settings = world.store.settings.map(({ key }) => key);
    expect(settings).toContain("ppo.algorithm");
    expect(settings.filter((key) => /critic|value|gamma|lambda/i.test(key))).toEqual([]);
    for (const sample of world.store.samples) expect(sample.values).toEqual([]);
  });

  it("interrupted and resumed ends with the same weights", async () => {
    const ppo = of(name, { iterations: 4, checkpointEvery: 1 });
    const whole = await runPpo({ ppo });
    const world = newWorld();
    let asked = 0;
    const interrupted = () => ++asked > 12;
    await expect(runPpo({ world, ppo, context: { interrupted } })).rejects.toThrow("interrupted");
    const resumed = await runPpo({ world, ppo, context: { resume: true } });
    expect(resumed.weights).toBe(whole.weights);
    expect(resumed.curve.size).toBe(4);
  });

  it("is held by the controller, which goes back to a healthy checkpoint", async () => {
    const world = newWorld();
    const ppo = of(name, { iterations: 5, checkpointEvery: 1 });
    const nan = (engine: BigramEngine) => {
      let call = 0;
      // Two steps an iteration, or four for GRPO's two epochs: somewhere in the third.
      const at = name === "rloo" ? [4, 5] : [8, 9];
      engine.distort = (result) => (at.includes(call++) ? { ...result, loss: Number.NaN } : result);
    };
    const rules = defaultRules().filter(({ id }) => /nonfinite/.test(id));
    await expect(runPpo({ world, ppo: { ...ppo, microBatch: 16 }, prepare: nan, rules })).rejects.toThrow(/incident 1/);
    world.store.decide(1, { action: "rollback", to: 1, changes: [], reason: "try again", decidedAt: 0 });
    const resume = () => runPpo({ world, ppo: { ...ppo, microBatch: 16 }, rules, context: { resume: true } });
    await expect(resume()).rejects.toThrow(/rolled back to iteration 1/);
    const { curve } = await resume();
    expect(world.store.messages("rollback").join()).toMatch(/to 1: incident 1/);
    expect(curve.size).toBe(5);
  });
});

describe("RLOO", () => {
  it("asks for each token its response's reward less the mean of the others', summed over tokens", async () => {
    // One prompt: rows 0 to 3 and so on are groups, whichever order they are drawn in.
    const score = (row: { tokens: readonly number[] }) => row.tokens.length;
    const ppo = of("rloo", { sequences: 16, kl: { coef: 0 }, maxNewTokens: 5 });
    const { world } = await runPpo({ ppo: { ...ppo, iterations: 1, storedSamples: 16 }, score });
    const samples = new Map(world.store.samples.map((sample) => [sample.index, sample]));
    expect(samples.size).toBe(16);
    for (const [index, { score: own, advantages }] of samples) {
      const others = [0, 1, 2, 3].map((i) => index - (index % 4) + i).filter((i) => i !== index);
      const baseline = others.reduce((total, i) => total + samples.get(i)!.score, 0) / 3;
      for (const advantage of advantages) expect(advantage).toBeCloseTo(own - baseline, 12);
    }
    const { weights, config } = await firstLoss(ppo, { score });
    expect(new Set(weights.flat())).toEqual(new Set([1 / 16]));
    expect(config).toMatchObject({ dualClip: null, entropyCoef: 0, kl: null });
  });

  it("takes the KL of the whole response from its reward", async () => {
    const at = async (coef: number) => {
      const { curve } = await runPpo({ ppo: of("rloo", { iterations: 30, kl: { coef } }) });
      return curve.get(29)!["kl/ref_k3_token"]!;
    };
    expect(await at(1)).toBeLessThan((await at(0)) / 2);
  });

  it("learns from a rollout once, whatever the configuration's epochs", async () => {
    const { curve } = await runPpo({ ppo: of("rloo", { epochs: 3 }) });
    expect(curve.get(0)).toMatchObject({ "update/epochs": 1, "update/steps": 2 });
    expect(Object.keys(curve.get(0)!).filter((key) => /^clip\/|settings\/(clip|epochs|dual)/.test(key))).toEqual([]);
  });
});

describe("GRPO", () => {
  it("asks for the clipped loss, k3 to the reference in it, and a mean over the tokens of each response", async () => {
    const { weights, config, refLogprobs } = await firstLoss(
      of("grpo", { kl: { in: "loss", estimator: "k3", coef: 0.04 } }),
    );
    for (const row of weights) expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(1 / 16, 12);
    expect(config).toMatchObject({ clipLow: 0.2, clipHigh: 0.2, kl: { coef: 0.04, estimator: "k3" } });
    expect(refLogprobs).toHaveLength(16);
  });

  it.each([
    ["divides by the group's spread", true],
    ["does not, as Dr. GRPO", false],
  ])("%s", async (_, whitenAdvantages) => {
    const ppo = of("grpo", { iterations: 1, storedSamples: 16, whitenAdvantages });
    const { world } = await runPpo({ ppo });
    const samples = new Map(world.store.samples.map((sample) => [sample.index, sample]));
    for (const [index, { score, advantages }] of samples) {
      const group = [0, 1, 2, 3].map((i) => samples.get(index - (index % 4) + i)!.score);
      const center = group.reduce((a, b) => a + b, 0) / 4;
      const spread = Math.sqrt(group.reduce((total, x) => total + (x - center) ** 2, 0) / 3) + 1e-4;
      for (const advantage of advantages)
        expect(advantage).toBeCloseTo((score - center) / (whitenAdvantages ? spread : 1), 10);
    }
  });

  it("stays near the reference when the KL in its loss weighs more", async () => {
    const at = async (coef: number) => {
      const { curve } = await runPpo({
        ppo: of("grpo", { iterations: 30, kl: { in: "loss", estimator: "k3", coef } }),
      });
      return curve.get(29)!["kl/ref_k3_token"]!;
    };
    expect(await at(3)).toBeLessThan((await at(0)) / 2);
  });
});
