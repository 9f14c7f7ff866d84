import { describe, expect, it } from "vitest";
import type { BigramEngine } from "../../test/support/bigram-engine.ts";
import { rule } from "../../test/support/rules.ts";
import { runPpo as run } from "../../test/support/run-ppo.ts";
import { newWorld } from "../../test/support/stage.ts";
import { correctedDecay } from "../rl/index.ts";
import { liveSettingsOf } from "../settings/live-settings.ts";

const settingsOf = (world: ReturnType<typeof newWorld>, key: string, cause: string) =>
  world.store.settings.filter((record) => record.key === key && record.cause === cause);

describe("the KL coefficient under its controller", () => {
  it("doubles while KL is over its target, within its bounds, and each change is a record", async () => {
    const kl = { controller: "step", preset: "guide", target: 1e-6, coef: 0.05, max: 0.15 };
    const { world, curve } = await run({ ppo: { iterations: 5, kl } });
    const rows = [...curve.values()];
    const expected = [0.05];
    for (const row of rows) {
      const [kl, coef] = [row["kl/ref_k1_token"]!, expected.at(-1)!];
      expected.push(Math.min(0.15, kl > 1.5e-6 ? coef * 2 : kl < 0.5e-6 ? coef * 0.5 : coef));
    }
    expect(rows.map((row) => row["kl/coef"])).toEqual(expected.slice(0, 5));
    expect(new Set(expected).size).toBeGreaterThan(1);
    const changes = expected.flatMap((value, i) =>
      i > 0 && value !== expected[i - 1] ? [[i, expected[i - 1], value]] : [],
    );
    const records = settingsOf(world, "ppo.kl.coef", "controller");
    expect(records.map(({ iteration, before, value }) => [iteration, before, value])).toEqual(changes);
  });

  it("follows a target that decays, which is recorded", async () => {
    const { curve } = await run({ ppo: { iterations: 4, kl: { target: 0.2, targetEnd: 0.05 } } });
    const near = (x: number) => expect.closeTo(x, 12);
    expect([...curve.values()].map((row) => row["settings/kl_target"])).toEqual([0.2, 0.15, 0.1, 0.05].map(near));
    const last = curve.get(3)!;
    expect(last["kl/ref_to_target"]).toBeCloseTo(last["kl/ref_k1_token"]! / 0.05, 12);
  });
});

describe("the penalty", () => {
  const penalty = { policyLoss: "penalty", epochs: 4, learningRate: 0.1 };

  it("holds the new policy near the old, and clips nothing", async () => {
    const kl = async (beta: number) => {
      const { curve } = await run({ ppo: { ...penalty, penalty: { beta } } });
      expect(curve.get(2)!["clip/fraction"]).toBe(0);
      expect(curve.get(2)!["kl/penalty_beta"]).toBe(beta);
      return curve.get(2)!["kl/old_new_full_token"]!;
    };
    const free = await kl(0);
    expect(free).toBeGreaterThan(1e-3);
    expect(await kl(100)).toBeLessThan(free / 3);
  });

  it("is over the whole vocabulary: close to what the samples say, and not the same", async () => {
    const { curve } = await run({ ppo: { ...penalty, sequences: 64 } });
    const { "kl/old_new_full_token": full, "kl/old_new_k3_token": sampled } = curve.get(1)!;
    expect(full).not.toBe(sampled);
    expect(full! / sampled!).toBeGreaterThan(0.5);
    expect(full! / sampled!).toBeLessThan(2);
  });

  it("moves its coefficient by KL(old, new), not that of the reference", async () => {
    const settings = { beta: 1, controller: "step", preset: "rllib", target: 1e-9 };
    const { world, curve } = await run({ ppo: { ...penalty, penalty: settings } });
    expect([...curve.values()].map((row) => row["kl/penalty_beta"])).toEqual([1, 1.5, 2.25]);
    expect([...curve.values()].map((row) => row["kl/coef"])).toEqual([0.05, 0.05, 0.05]);
    expect(settingsOf(world, "ppo.penalty.beta", "controller").map(({ value }) => value)).toEqual([1.5, 2.25, 3.375]);
  });

  it("is k3 on the samples if the engine has no more, and the log says so, once", async () => {
    const prepare = (engine: BigramEngine) => {
      engine.capabilities = { ...engine.capabilities, fullKl: false };
      engine.distort = (result, loss) => {
        if (loss.name === "policy") expect(loss.config.penalty).toEqual({ beta: 1, oldModel: null });
        return result;
      };
    };
    const { world, curve } = await run({ ppo: penalty, prepare });
    expect(world.store.messages("warning")).toEqual([expect.stringMatching(/the penalty is k3 on the samples/)]);
    expect(curve.get(1)!["kl/old_new_full_token"]).toBeUndefined();
  });

  it("leaves no copy of the old policy behind", async () => {
    const clip = await run();
    const { context } = await run({ ppo: penalty });
    expect(context.engine.models.size).toBe(clip.context.engine.models.size);
  });

  it("lets an operator set its coefficient", async () => {
    const world = newWorld();
    world.store.command("set", { key: "ppo.penalty.beta", value: 7 });
    const { curve } = await run({ world, ppo: penalty });
    expect(curve.get(0)!["kl/penalty_beta"]).toBe(7);
    expect(settingsOf(world, "ppo.penalty.beta", "operator")).toMatchObject([{ before: 1, value: 7 }]);
  });
});

describe("clip phases", () => {
  const ppo = {
    iterations: 8,
    clipSchedule: "phases",
    clipLow: 0.2,
    clipHigh: 0.28,
    kl: { target: 1e-4 },
    learningRate: 0.2,
  };

  it("are wide, then by KL and slope, then still; every change is a record of the schedule", async () => {
    const { world, curve } = await run({ ppo });
    const clip = [...curve.values()].map((row) => [row["settings/clip_low"], row["settings/clip_high"]]);
    expect(clip.slice(0, 2)).toEqual([
      [0.3, 0.3],
      [0.3, 0.3],
    ]);
    for (const [i, [low, high]] of clip.slice(2, 6).entries()) {
      const before = curve.get(i + 1)!;
      const factor = Math.min(1, 1 / before["kl/ref_to_target"]!) * (before["reward/score_slope"]! > 0 ? 1 : 0.9);
      expect(low).toBeCloseTo(Math.max(0.05, 0.2 * factor), 12);
      expect(high).toBeCloseTo(Math.max(0.05, 0.28 * factor), 12);
    }
    expect(clip[3]![0]).toBeLessThan(0.2);
    expect(clip[6]).toEqual(clip[5]);
    expect(clip[7]).toEqual(clip[5]);
    const records = settingsOf(world, "ppo.clipLow", "schedule");
    expect(records[0]).toMatchObject({ iteration: 0, before: 0.2, value: 0.3 });
    for (const { iteration, value } of records) expect(clip[iteration]![0]).toBe(value);
  });
});

describe("the slow critic", () => {
  it("is the corrected average of the critic after each of its steps", async () => {
    const path: { values: number[]; slow: number[] }[] = [];
    const prepare = (engine: BigramEngine) => {
      const ema = engine.ema.bind(engine);
      engine.ema = async (target, source, decay) => {
        await ema(target, source, decay);
        const of = (id: string) => [...engine.models.get(id)!.weights.U!];
        path.push({ values: of(source), slow: of(target) });
      };
    };
    const { curve } = await run({ ppo: { slowCritic: { decay: 0.9 } }, prepare });
    // 3 iterations of 2 epochs of 2 minibatches.
    expect(path).toHaveLength(12);
    const shares = path.map((_, i) => 0.9 ** (11 - i));
    const total = shares.reduce((a, b) => a + b);
    for (const [i, slow] of path.at(-1)!.slow.entries())
      expect(slow).toBeCloseTo(path.reduce((sum, { values }, t) => sum + shares[t]! * values[i]!, 0) / total, 10);
    expect(correctedDecay(0.9, 1)).toBe(0);
    expect(curve.get(0)!["value/slow_distance"]).toBe(0);
    expect(curve.get(2)!["value/slow_distance"]).toBeGreaterThan(0);
  });

  it("makes advantages and returns; the value loss is clipped around the critic itself", async () => {
    const seen: { oldValues: number[][]; returns: number[][] }[] = [];
    const prepare = (engine: BigramEngine) => {
      engine.distort = (result, loss) => {
        if (loss.name === "value")
          seen.push(structuredClone({ oldValues: loss.oldValues, returns: loss.returns }) as never);
        return result;
      };
    };
    const one = { minibatches: 1, epochs: 1, kl: { coef: 0 }, lambda: 0 };
    const { curve } = await run({ ppo: { ...one, slowCritic: { decay: 0.9 } }, prepare });
    // Before the second step of the average there is no difference: after step 1 it equals the critic.
    expect(curve.get(1)!["value/slow_distance"]).toBeCloseTo(0, 12);
    expect(curve.get(2)!["value/slow_distance"]).toBeGreaterThan(0);
    const plain: typeof seen = seen.splice(0);
    await run({ ppo: one, prepare });
    expect(plain[1]).toEqual(seen[1]);
    expect(plain[2]!.oldValues).toEqual(seen[2]!.oldValues);
    expect(plain[2]!.returns).not.toEqual(seen[2]!.returns);
  });

  it("follows a critic on a shared trunk too", async () => {
    const { curve } = await run({ ppo: { criticKind: "shared", slowCritic: {} } });
    expect(curve.get(2)!["value/slow_distance"]).toBeGreaterThan(0);
  });
});

it("layer rates reach the engine, of policy and critic", async () => {
  const factors: unknown[] = [];
  const prepare = (engine: BigramEngine) => {
    engine.before = (verb, [, request]) => {
      if (verb === "optimStep") factors.push((request as { rateFactors?: unknown }).rateFactors);
    };
  };
  await run({ prepare, ppo: { layerRates: { embeddings: 0.4 } } });
  // One block, between the embeddings and an untied head.
  const expected = { embeddings: 0.4, "block.0": 0.7, final: 1, lm_head: 1, score: 1 };
  expect(factors.slice(0, 2)).toEqual([expected, expected]);
  factors.length = 0;
  await run({ prepare });
  expect(factors[0]).toBeUndefined();
});

describe("layer-wise rates, the slow critic and the clip's phases", () => {
  const ppo = {
    iterations: 5,
    clipSchedule: "phases",
    clipLow: 0.2,
    clipHigh: 0.2,
    slowCritic: { decay: 0.9 },
    layerRates: { embeddings: 0.5 },
  };
  const acting = (action: string) =>
    rule(`tier: 2, when: {signal: response/length_mean, above: 0}, action: {${action}}, duration: 1, cooldown: 99`);
  /** What the engine was asked for by iteration of two steps: the embeddings' rate, and the slow average's decay. */
  const asked = async (options: Parameters<typeof run>[0]) => {
    const embeddings: number[] = [];
    const decays: number[] = [];
    const prepare = (engine: BigramEngine) => {
      const ema = engine.ema.bind(engine);
      engine.ema = async (target, source, decay) => {
        decays.push(decay);
        await ema(target, source, decay);
      };
      engine.before = (verb, [, request]) => {
        if (verb !== "optimStep") return;
        embeddings.push((request as { rateFactors: { embeddings: number } }).rateFactors.embeddings);
      };
    };
    const { world, curve } = await run({ ...options, prepare });
    return { world, curve, embeddings, decays };
  };

  it("are moved by rules, within their bounds, and restored", async () => {
    const rules = [acting("embeddingsRate: 0.1"), acting("slowCritic: 0.5"), acting("clipWide: 0.1")].map((one, i) => ({
      ...one,
      id: `tried_${i}`,
    }));
    const { world, curve } = await asked({ ppo, rules, control: { profile: "adaptive" } });
    const rows = [...curve.values()];
    const metric = (name: string) => rows.map((row) => row[`settings/${name}`]!);
    expect(metric("embeddings_rate_multiplier")).toEqual([0.2, 1, 1, 1, 1]);
    expect(metric("slow_critic_multiplier")[0]).toBeCloseTo(0.5 / 0.9, 12);
    expect(metric("slow_critic_multiplier").slice(1)).toEqual([1, 1, 1, 1]);
    expect(metric("clip_high")[0]).toBeCloseTo(0.05, 12);
    expect(metric("clip_high")[1]).toBe(0.3);
    const moves = ["ppo.layerRates.embeddings", "ppo.slowCritic.decay", "ppo.clipWide"].map((key) =>
      settingsOf(world, key, "intervention").map(({ iteration, value }) => [iteration, Number(value)]),
    );
    expect(moves).toEqual([
      [
        [0, 0.1],
        [1, 0.5],
      ],
      [
        [0, expect.closeTo(0.5, 12)],
        [1, 0.9],
      ],
      [
        [0, expect.closeTo(0.05, 12)],
        [1, 0.3],
      ],
    ]);
  });

  it("are set by an operator from there on, and reach the engine", async () => {
    const world = newWorld();
    world.store.command("set", { key: "ppo.layerRates.embeddings", value: 0.25 });
    world.store.command("set", { key: "ppo.slowCritic.decay", value: 0.99 });
    world.store.command("set", { key: "ppo.clipWide", value: 0.25 });
    const told = await asked({ world, ppo });
    const plain = await asked({ ppo });
    expect(new Set(plain.embeddings)).toEqual(new Set([0.5]));
    expect(new Set(told.embeddings)).toEqual(new Set([0.25]));
    expect(told.decays.at(-1)).toBeCloseTo(correctedDecay(0.99, told.decays.length), 12);
    expect(plain.decays.at(-1)).toBeCloseTo(correctedDecay(0.9, plain.decays.length), 12);
    expect([...told.curve.values()].map((row) => row["settings/clip_high"]).slice(0, 2)).toEqual([0.25, 0.25]);
    expect(settingsOf(world, "ppo.clipWide", "operator")).toMatchObject([{ before: 0.3, value: 0.25 }]);
  });

  it("cannot be set if they are off", async () => {
    const { context } = await run();
    const section = { ...context.config.ppo!, slowCritic: null, clipSchedule: "constant" as const };
    expect(liveSettingsOf("ppo", section)).not.toContain("slowCritic.decay");
    expect(liveSettingsOf("ppo", section)).not.toContain("clipWide");
    expect(liveSettingsOf("ppo", section)).toContain("layerRates.embeddings");
    expect(liveSettingsOf("ppo", { ...section, clipSchedule: "phases" })).toContain("clipWide");
  });
});

it("a rule that would mask every minibatch does not freeze a run, and what it masked is recorded", async () => {
  const masks = rule("tier: 2, when: {signal: step/strongly_negative_share, above: -1}, action: mask");
  const ppo = { iterations: 14, learningRate: 0.1 };
  const scores = ({ curve }: Awaited<ReturnType<typeof run>>) =>
    [...curve.values()].map((row) => row["reward/score_mean"]!);
  const masked = await run({ ppo, rules: [masks], control: { profile: "adaptive" } });
  const share = [...masked.curve.values()].map((row) => row["update/masked_share"]);
  expect(share).toEqual([1, 1, ...Array.from({ length: 10 }, () => 0), 1, 1]);
  const [own, free] = [scores(masked), scores(await run({ ppo }))];
  const risen = (all: readonly number[]) => (all[11]! + all[12]! + all[13]!) / 3 - all[0]!;
  expect(risen(own)).toBeGreaterThan(risen(free) / 3);
  expect(masked.world.store.messages("alert").filter((text) => text.includes("not masked"))).toHaveLength(1);
});
