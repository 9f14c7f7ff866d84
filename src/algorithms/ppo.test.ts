import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { BigramEngine } from "../../test/support/bigram-engine.ts";
import { runPpo as run, wantsA, word } from "../../test/support/run-ppo.ts";
import { newWorld, tokenizer } from "../../test/support/stage.ts";
import { defaultRules } from "../control/rules/load-rules.ts";
import type { Scored } from "../reward/index.ts";

describe("an iteration", () => {
  it("starts with a ratio of 1 and no KL to the reference", async () => {
    const { curve, world } = await run();
    const first = curve.get(0)!;
    expect(first["ratio/first_max_deviation"]).toBeLessThan(1e-12);
    expect(first["kl/ref_k1_token"]).toBe(0);
    expect(first["kl/ref_k3_sequence"]).toBe(0);
    expect(first["rollout/nonfinite_count"]).toBe(0);
    // Later rollouts have moved off the reference, and their updates start at 1 again.
    expect(curve.get(2)!["kl/ref_k3_token"]).toBeGreaterThan(1e-6);
    expect(curve.get(2)!["ratio/first_max_deviation"]).toBeLessThan(1e-12);
    expect(world.store.messages("invariant")).toHaveLength(1);
  });

  it("has a value of zero everywhere at first", async () => {
    const { curve } = await run();
    expect(curve.get(0)!["value/mean"]).toBe(0);
    expect(curve.get(1)!["value/mean"]).not.toBe(0);
  });

  it("keeps samples, one of which is the worst", async () => {
    const { world } = await run();
    const kept = world.store.samples.filter(({ iteration }) => iteration === 1);
    expect(kept.map(({ reason }) => reason)).toEqual(["chosen", "chosen", "chosen", "chosen", "worst"]);
    expect(Math.min(...kept.map(({ score }) => score))).toBe(kept.at(-1)!.score);
    for (const sample of kept) {
      for (const list of [sample.logprobs, sample.refLogprobs, sample.values, sample.advantages])
        expect(list).toHaveLength(sample.tokens.length);
    }
  });

  it("writes every setting it began with", async () => {
    const { world } = await run();
    const written = Object.fromEntries(world.store.settings.map(({ key, value }) => [key, value]));
    expect(written).toMatchObject({ "ppo.learningRate": 0.05, "ppo.kl.coef": 0.05, "ppo.criticKind": "separate" });
  });
});

describe("learning", () => {
  it("makes the rewarded token near certain, and the critic knows what it is worth", async () => {
    const { curve, weights } = await run({ ppo: { iterations: 80, sequences: 32, kl: { coef: 0 }, gamma: 1 } });
    const { W } = JSON.parse(weights) as { W: number[] };
    const V = tokenizer.vocabularySize;
    const row = W.slice(word("a") * V, (word("a") + 1) * V);
    const total = row.reduce((sum, z) => sum + Math.exp(z), 0);
    expect(Math.exp(row[word("a")]!) / total).toBeGreaterThan(0.9);
    expect(curve.get(79)!["reward/score_mean"]).toBeGreaterThan(5);
    expect(curve.get(0)!["reward/score_mean"]).toBeLessThan(1.5);
  });

  it("learns on a shared trunk as well", async () => {
    const { curve, result } = await run({
      ppo: { iterations: 60, sequences: 32, criticKind: "shared", kl: { coef: 0 } },
    });
    expect(curve.get(59)!["reward/score_mean"]).toBeGreaterThan(4);
    expect(curve.get(0)!["gradient/critic_norm"]).toBeUndefined();
    expect(JSON.parse(readFileSync(join(result.folder, "config.json"), "utf8")).heads).toEqual(["lm"]);
  });

  it("stays near the reference when the KL weighs more", async () => {
    const kl = async (coef: number, where: "reward" | "loss") => {
      const { curve } = await run({ ppo: { iterations: 30, kl: { coef, in: where, estimator: "k2" } } });
      return curve.get(29)!["kl/ref_k3_token"]!;
    };
    const free = await kl(0, "reward");
    expect(await kl(1, "reward")).toBeLessThan(free / 2);
    expect(await kl(1, "loss")).toBeLessThan(free / 2);
  });
});

describe("accumulation", () => {
  it.each(["token-mean", "sequence-mean"])("equals one big batch (%s)", async (aggregation) => {
    const whole = await run({ ppo: { aggregation, microBatch: 16 } });
    const split = await run({ ppo: { aggregation, microBatch: 3 } });
    const weights = (text: string) => (JSON.parse(text) as { W: number[] }).W;
    const difference = weights(whole.weights).map((w, i) => Math.abs(w - weights(split.weights)[i]!));
    expect(Math.max(...difference)).toBeLessThan(1e-9);
    for (const [iteration, row] of whole.curve)
      for (const [key, value] of Object.entries(row))
        if (Number.isFinite(value)) expect(split.curve.get(iteration)![key], key).toBeCloseTo(value, 6);
  });
});

describe("what the last step did", () => {
  it("is measured: one epoch of one minibatch is not blind, and nothing of the run changes by it", async () => {
    const ppo = { epochs: 1, minibatches: 1, learningRate: 0.2 };
    const { curve } = await run({ ppo });
    const first = curve.get(0)!;
    expect(first["kl/old_new_k3_token"]).toBeGreaterThan(1e-3);
    expect(first["kl/old_new_k3_token"]).toBe(first["kl/last_step_k3_token"]);
    // Without a target the distance to the reference has an absolute limit; with one it has that.
    expect(first["kl/ref_untargeted_k1_token"]).toBe(first["kl/ref_k1_token"]);
    const targeted = await run({ ppo: { ...ppo, kl: { target: 0.1 } } });
    expect(targeted.curve.get(0)).not.toHaveProperty(["kl/ref_untargeted_k1_token"]);
    const still = await run({ ppo: { ...ppo, learningRate: 1e-30 } });
    expect(still.curve.get(0)!["kl/last_step_k3_token"]).toBeCloseTo(0, 12);
  });

  it("stops an update at the step that went too far, before the next one is taken", async () => {
    const world = newWorld();
    const rules = defaultRules().filter(({ id }) => id === "kl_step");
    const ppo = { epochs: 4, learningRate: 3 };
    await expect(run({ world, rules, ppo })).rejects.toThrow(/approx KL before a step [\d.]+ > 0.15/);
    expect(world.store.curve("ppo").get(0)!["update/steps"]).toBe(1);
    // The update ended on a measurement after its last step: a pass more would measure the same.
    expect(world.store.curve("ppo").get(0)).not.toHaveProperty(["kl/last_step_k3_token"]);
  });
});

describe("the end of epochs on KL", () => {
  it("comes before the step that would go further", async () => {
    const free = await run({ ppo: { epochs: 4, learningRate: 0.2 } });
    const limited = await run({ ppo: { epochs: 4, learningRate: 0.2, stopEpochsAtKl: 0.01 } });
    expect(free.curve.get(0)!["update/steps"]).toBe(8);
    expect(limited.curve.get(0)!["update/steps"]).toBeLessThan(8);
    expect(limited.curve.get(0)!["update/ended_early"]).toBe(1);
    expect(limited.curve.get(0)!["kl/old_new_k3_token"]).toBeGreaterThan(0.01);
    expect(free.curve.get(0)!["update/ended_early"]).toBe(0);
  });
});

/** Each field with a value that must have an effect. `watch` restricts the change to one metric. */
const alive: [name: string, ppo: object, options?: { base?: object; watch?: string }][] = [
  ["iterations", { iterations: 2 }],
  ["sequences", { sequences: 8 }],
  ["responsesPerPrompt", { responsesPerPrompt: 2 }],
  ["minibatches", { minibatches: 4 }],
  ["epochs", { epochs: 1 }],
  ["maxNewTokens", { maxNewTokens: 3 }],
  ["temperature", { temperature: 0.7 }],
  ["topK", { topK: 3, allowTruncatedSampling: true }],
  ["topP", { topP: 0.4, allowTruncatedSampling: true }],
  ["learningRate", { learningRate: 0.01 }],
  ["criticLearningRate", { criticLearningRate: 0.01 }],
  ["criticKind", { criticKind: "shared" }],
  ["valueCoef", { valueCoef: 3 }, { base: { criticKind: "shared", maxGradNorm: 0.01 } }],
  ["epsilon", { epsilon: 0.1 }],
  ["beta1", { beta1: 0.5 }],
  ["beta2", { beta2: 0.5 }],
  ["weightDecay", { weightDecay: 0.5 }],
  ["maxGradNorm", { maxGradNorm: null }, { base: { maxGradNorm: 1e-4 } }],
  ["schedule", { schedule: "linear" }],
  ["warmup", { warmup: 0.7 }],
  ["clipLow", { clipLow: 0.01 }],
  ["clipHigh", { clipHigh: 0.01 }],
  ["dualClip", { dualClip: 1.01 }, { base: { learningRate: 0.5 } }],
  ["valueClip", { valueClip: null }, { base: { valueClip: 0.001 } }],
  ["entropyCoef", { entropyCoef: 0.5 }],
  ["gamma", { gamma: 0.5 }],
  ["lambda", { lambda: 0.1 }],
  ["lambdaFrom", { lambdaFrom: 0.99 }],
  ["criticWarmup", { criticWarmup: 1 }],
  ["aggregation", { aggregation: "sequence-mean" }],
  ["aggregation of sums", { aggregation: "sequence-sum" }],
  ["algorithm rloo", { algorithm: "rloo", responsesPerPrompt: 2 }, { base: { responsesPerPrompt: 2 } }],
  ["algorithm grpo", { algorithm: "grpo", responsesPerPrompt: 2 }, { base: { responsesPerPrompt: 2 } }],
  ["whitenAdvantages", { whitenAdvantages: false }],
  ["whitenRewards", { whitenRewards: true }],
  ["scoreClip", { scoreClip: 0.5 }],
  ["missingEosPenalty", { missingEosPenalty: 2 }],
  ["stopEpochsAtKl", { stopEpochsAtKl: 1e-4 }],
  ["kl.in", { kl: { in: "loss", coef: 0.5 } }, { base: { kl: { coef: 0.5 } } }],
  ["kl.estimator", { kl: { in: "loss", estimator: "k3", coef: 1 } }, { base: { kl: { in: "loss", coef: 1 } } }],
  ["kl.coef", { kl: { coef: 1 } }],
  ["kl.controller", { kl: { controller: "ziegler", target: 1e-6, coef: 0.05 } }],
  [
    "kl.target",
    { kl: { controller: "ziegler", target: 10 } },
    { base: { kl: { controller: "ziegler", target: 1e-6 } } },
  ],
  [
    "kl.targetUnit",
    { kl: { controller: "ziegler", target: 0.2, targetUnit: "sequence" } },
    { base: { learningRate: 0.3, kl: { controller: "ziegler", target: 0.2 } } },
  ],
  [
    "kl.horizon",
    { kl: { controller: "ziegler", target: 1e-6, horizon: 1e6 } },
    { base: { kl: { controller: "ziegler", target: 1e-6 } } },
  ],
  ...steered("kl", {}),
  ...steered("penalty", { policyLoss: "penalty", learningRate: 0.2 }),
  ["policyLoss", { policyLoss: "penalty" }],
  ["penalty.beta", { penalty: { beta: 30 } }, { base: { policyLoss: "penalty" } }],
  ["clipSchedule", { clipSchedule: "phases", clipWide: 0.25, clipLow: 0.1, clipHigh: 0.1, learningRate: 0.3 }],
  [
    "clipWide",
    { clipWide: 0.02 },
    { base: { clipSchedule: "phases", clipLow: 0.1, clipHigh: 0.1, learningRate: 0.3 } },
  ],
  ["layerRates.head", { layerRates: { embeddings: 0.1, head: 0.5 } }, { base: { layerRates: {} } }],
  ["slowCritic", { slowCritic: {} }],
  ["slowCritic.decay", { slowCritic: { decay: 0.5 } }, { base: { slowCritic: {} } }],
  ["schedule step", { schedule: "step", stepEvery: 1 }],
  ["stepFactor", { stepFactor: 0.5 }, { base: { schedule: "step", stepEvery: 1 } }],
  ["stepEvery", { stepEvery: 1 }, { base: { schedule: "step" } }],
];

/** The fields of a KL coefficient's controller. */
function steered(section: "kl" | "penalty", base: object): typeof alive {
  const of = (settings: object) => ({ ...base, [section]: { target: 1e-4, ...settings } });
  const field = (name: string, change: object, from: object): (typeof alive)[number] => [
    `${section}.${name}`,
    of({ ...from, ...change }),
    { base: of(from) },
  ];
  const step = { controller: "step" };
  return [
    field("controller step", step, {}),
    field("controller exponential", { controller: "exponential" }, {}),
    field("controller ziegler", { controller: "ziegler" }, {}),
    field("targetEnd", { targetEnd: 5 }, step),
    field("preset", { preset: "rllib" }, step),
    field("high", { high: 1e6 }, step),
    field("low", { low: 1e5, high: 1e6 }, { ...step, high: 1e6 }),
    field("up", { up: 3 }, step),
    field("down", { down: 0.1 }, { ...step, target: 100 }),
    field("alpha", { alpha: 30 }, { controller: "exponential" }),
    field("horizon", { horizon: 20 }, { controller: "ziegler" }),
    field("min", { min: 0.9 }, { ...step, target: 100 }),
    field("max", { max: 0.03 }, step),
  ];
}

describe("every field of the section", () => {
  /** Metrics and weights: everything a run reports except the settings themselves. */
  const strip = ({ curve, weights }: Awaited<ReturnType<typeof run>>) =>
    JSON.stringify([
      [...curve].map(([i, row]) => [i, Object.entries(row).filter(([key]) => !key.startsWith("settings/"))]),
      weights,
    ]);
  const baselines = new Map<string, Promise<string>>();
  const baseline = (ppo: object = {}) => {
    const key = JSON.stringify(ppo);
    if (!baselines.has(key)) baselines.set(key, run({ ppo }).then(strip));
    return baselines.get(key)!;
  };

  it.each(alive)("%s shows", async (_, ppo, options) => {
    expect(strip(await run({ ppo: { ...options?.base, ...ppo } }))).not.toBe(await baseline(options?.base));
  });

  it("shows because of the field: the same settings give the same run", async () => {
    expect(strip(await run())).toBe(await baseline());
  });

  it("and so does the seed", async () => {
    expect(strip(await run({ seed: 8 }))).not.toBe(await baseline());
  });

  it("storedSamples", async () => {
    const { world } = await run({ ppo: { storedSamples: 2 } });
    expect(world.store.samples.filter(({ iteration }) => iteration === 0)).toHaveLength(3);
  });

  it("keep and checkpointEvery", async () => {
    const { context } = await run({ ppo: { iterations: 6, checkpointEvery: 1, keep: 3 } });
    const left = readdirSync(context.folder).filter((name) => name.startsWith("checkpoint-"));
    // The start is there as long as the run is: a rollback has always somewhere to go.
    expect(left.sort()).toEqual([0, 4, 5, 6].map((step) => `checkpoint-00000${step}`));
  });
});

describe("odd input", () => {
  it("all rewards equal: a warning, once, and on", async () => {
    const { world, curve } = await run({ score: () => 1, ppo: { kl: { coef: 0 }, missingEosPenalty: 0 } });
    expect(world.store.messages("warning")).toEqual(["all scores are equal"]);
    expect(curve.size).toBe(3);
    expect(curve.get(2)!["rollout/nonfinite_count"]).toBe(0);
  });

  it("a single prompt: a warning, and on", async () => {
    const { world, curve } = await run({ texts: ["b"] });
    expect(world.store.messages("warning").join()).toMatch(/single prompt/);
    expect(curve.size).toBe(3);
  });

  it("a score that is not finite stops the run, with its state saved", async () => {
    const world = newWorld();
    let calls = 0;
    const score = (row: Scored) => (calls++ === 16 + 3 ? Number.NaN : wantsA(row));
    await expect(run({ world, score })).rejects.toThrow(/scores are not finite/);
    expect(existsSync(join(world.folder, "ppo", "checkpoint-000001", "policy", "optimizer.safetensors"))).toBe(true);
  });

  it("a model whose first log-probabilities are not finite is refused", async () => {
    const prepare = (engine: BigramEngine) => {
      engine.before = (verb) => {
        if (verb === "sample")
          for (const model of engine.models.values()) if (model.weights.U) model.weights.U[3] = Number.NaN;
      };
    };
    await expect(run({ prepare })).rejects.toThrow(/numbers among the values of the first rollout are not finite/);
  });

  it("old and new log-probabilities that do not agree are refused", async () => {
    const prepare = (engine: BigramEngine) => {
      engine.distort = (result, loss) =>
        loss.name === "policy"
          ? { ...result, logprobs: result.logprobs!.map((row) => row.map((x) => x - 0.01)) }
          : result;
    };
    const world = newWorld();
    await expect(run({ world, prepare, rules: defaultRules() })).rejects.toThrow(
      /incident 1, deviation of the first ratio from 1, in tolerances of the engine, 995 > 1/,
    );
    expect(world.store.curve("ppo").get(0)!["update/steps"]).toBe(0);
  });
});

describe("a loss that turns NaN", () => {
  const nanAt =
    (...calls: number[]) =>
    (engine: BigramEngine) => {
      let call = 0;
      engine.distort = (result, loss) =>
        loss.name === "policy" && calls.includes(call++) ? { ...result, loss: Number.NaN } : result;
    };

  it("is skipped before it reaches the weights, and its minibatch is kept", async () => {
    const { world, curve, weights } = await run({ prepare: nanAt(5) });
    expect(curve.get(1)!["update/steps_skipped"]).toBe(1);
    expect(curve.get(1)!["gradient/nonfinite_count"]).toBe(1);
    expect(curve.get(2)!["update/steps_skipped"]).toBe(0);
    expect(weights).not.toMatch(/null/);
    const dump = JSON.parse(readFileSync(join(world.folder, "ppo", "dumps", "iteration-1-step-1.json"), "utf8"));
    expect(dump.sequences).toHaveLength(8);
    expect(dump.advantages).toHaveLength(8);
    expect(world.store.messages("warning").join()).toMatch(/step is skipped.*iteration-1-step-1\.json/);
  });

  it("twice in a row stops the run before a third, with sound weights, and goes on when an operator says so", async () => {
    const world = newWorld();
    const rules = defaultRules();
    await expect(run({ world, prepare: nanAt(5, 6), rules })).rejects.toThrow(/incident 1, steps in a row/);
    expect(world.store.curve("ppo").get(1)!["update/steps"]).toBe(2);
    expect(existsSync(join(world.folder, "ppo", "checkpoint-000002"))).toBe(true);
    await expect(run({ world, rules, context: { resume: true } })).rejects.toThrow(/incident 1 waits for a decision/);
    world.store.decide(1, { action: "resume", to: null, changes: [], reason: "it was the disk", decidedAt: 0 });
    const { curve } = await run({ world, rules, context: { resume: true } });
    expect(curve.size).toBe(3);
    expect(curve.get(2)!["update/steps_skipped"]).toBe(0);
  });
});
