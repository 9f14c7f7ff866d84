import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { BigramEngine } from "../../test/support/bigram-engine.ts";
import { killedAt, wasKilled } from "../../test/support/killed.ts";
import { measured } from "../../test/support/measuring.ts";
import type { MemoryStore } from "../../test/support/memory-recorder.ts";
import { runPpo, wantsA } from "../../test/support/run-ppo.ts";
import { newWorld, prompts } from "../../test/support/stage.ts";
import * as rl from "../rl/index.ts";
import { RewardError } from "../util/errors.ts";

const every = (iterations: number) => ({
  probes: { every: iterations },
  noise: { every: iterations },
  monitor: { every: iterations, samples: 7 },
  robustness: { every: iterations },
});
const ppo = { iterations: 5, sequences: 8, learningRate: 0.3 };
const groups = /^(similarity|monitor|robustness|gradient\/(noise|draw|variance)|reward_model)/;
const keysOf = (values: Readonly<Record<string, number>> | undefined) =>
  Object.keys(values ?? {}).filter((key) => groups.test(key));

describe("measurements", () => {
  it("come when they are due, and are absent otherwise", async () => {
    const { curve } = await runPpo({ ppo, measuring: measured(), control: every(2) });
    expect(keysOf(curve.get(1))).toEqual([]);
    expect(keysOf(curve.get(3))).toEqual([]);
    expect(keysOf(curve.get(0))).not.toContain("similarity/kl_k3_token");
    expect(keysOf(curve.get(2))).toEqual(
      expect.arrayContaining(["similarity/kl_k3_token", "monitor/gold", "robustness/typos_gold_change"]),
    );
    const { curve: never } = await runPpo({ ppo, measuring: measured(), control: every(0) });
    for (const values of never.values()) expect(keysOf(values)).toEqual([]);
  });

  it("change nothing of the run", async () => {
    const run = (control: object) => runPpo({ ppo, measuring: measured(), control });
    const [with_, without] = [await run(every(1)), await run(every(0))];
    expect(with_.weights).toBe(without.weights);
    // Health uses these measurements.
    const training = (values: object) =>
      Object.fromEntries(Object.entries(values).filter(([key]) => !/^health\//.test(key)));
    for (const [iteration, values] of without.curve) expect(with_.curve.get(iteration)).toMatchObject(training(values));
  });

  it("are the same to the bit when the run is killed and resumed", async () => {
    const options = { ppo: { ...ppo, checkpointEvery: 1 }, measuring: measured(), control: every(1) };
    const whole = await runPpo(options);
    const world = newWorld();
    let kills = 0;
    const attempt = (n: number) => runPpo({ ...options, world, prepare: killedAt(n), context: { resume: true } });
    while (await wasKilled(attempt(130 + 17 * kills))) kills++;
    expect(kills).toBeGreaterThan(1);
    expect(readFileSync(join(world.folder, "ppo", "final", "model.safetensors"), "utf8")).toBe(whole.weights);
    expect([...world.store.curve("ppo")]).toEqual([...whole.curve]);
  });
});

describe("answers to the monitoring set", () => {
  const control = { monitor: { every: 2, samples: 7 } };
  const answersOf = ({ answers }: MemoryStore, model: string, attempt = 1) =>
    answers.filter((row) => row.model === model && row.attempt === attempt);

  it("are recorded each time, with what the metrics are made of; the reference's once", async () => {
    const { world, curve } = await runPpo({ ppo, measuring: measured(), control });
    const rows = answersOf(world.store, "policy");
    expect(rows.map(({ iteration, index }) => [iteration, index])).toEqual(
      [0, 2, 4].flatMap((iteration) => [0, 1, 2, 3, 4, 5, 6].map((index) => [iteration, index])),
    );
    expect(rows.slice(0, 4).map(({ prompt, kind }) => [prompt, kind])).toEqual(
      ["g", "f e", "a g f", "g"].map((prompt) => [prompt, "any"]),
    );
    for (const iteration of [0, 2, 4]) {
      const here = rows.filter((row) => row.iteration === iteration);
      const { "monitor/gold": gold, "monitor/score": score } = curve.get(iteration)!;
      expect(rl.mean(here.map(({ verdicts }) => Number(verdicts.saysA)))).toBeCloseTo(gold!, 12);
      expect(rl.mean(here.map((row) => row.score!))).toBeCloseTo(score!, 12);
      for (const { response, verdicts } of here) expect(verdicts.saysA).toBe(response.split(" ").includes("a"));
    }
    expect(answersOf(world.store, "reference").map(({ iteration }) => iteration)).toEqual(Array(7).fill(0));
  });

  it("of a policy that is still the reference are the reference's", async () => {
    const { world } = await runPpo({ ppo: { ...ppo, learningRate: 1e-30 }, measuring: measured(), control });
    const said = (model: string) =>
      answersOf(world.store, model).map(({ response, score, verdicts }) => ({ response, score, verdicts }));
    const before = said("reference");
    for (const iteration of [0, 1, 2]) expect(said("policy").slice(7 * iteration, 7 * iteration + 7)).toEqual(before);
  });

  it("have no score if the reward cannot judge them, and no verdicts if there is no check", async () => {
    const cannot = ({ prompt }: { prompt: string }) => {
      if (prompt === "g") throw new RewardError("not that");
      return 1;
    };
    const measuring = { ...measured(), monitorCheck: null };
    const { world } = await runPpo({ ppo, measuring, control, score: cannot });
    for (const row of world.store.answers) expect(row).toMatchObject({ score: null, verdicts: {} });
    expect(world.store.answers).toHaveLength(4 * 7);
  });

  it("are those of the run that was not killed, each once", async () => {
    const options = { ppo: { ...ppo, checkpointEvery: 1 }, measuring: measured(), control };
    const whole = await runPpo(options);
    const world = newWorld();
    let kills = 0;
    const attempt = (n: number) => runPpo({ ...options, world, prepare: killedAt(n), context: { resume: true } });
    while (await wasKilled(attempt(70 + 17 * kills))) kills++;
    expect(kills).toBeGreaterThan(0);
    const begins = world.store.events.filter(({ kind }) => kind === "resumed");
    const current = world.store.answers.filter(
      (row) => !begins.some((one) => one.attempt > row.attempt && one.iteration <= row.iteration),
    );
    const plain = (rows: typeof current) => rows.map(({ attempt: _, ...row }) => row);
    expect(plain(current)).toEqual(plain(whole.world.store.answers));
  });
});

describe("similarity", () => {
  it("is complete between a policy and itself, and less if it learned", async () => {
    const control = { probes: { every: 1 } };
    const still = await runPpo({ ppo: { ...ppo, learningRate: 1e-30 }, control });
    expect(still.curve.get(1)).toMatchObject({
      "similarity/kl_k3_token": 0,
      "similarity/top1_agreement": 1,
      "similarity/greedy_changed_share": 0,
      "similarity/iterations": 1,
    });
    const { curve } = await runPpo({ ppo, control });
    expect(curve.get(1)!["similarity/kl_k3_token"]).toBeGreaterThan(0.01);
    expect(curve.get(1)!["similarity/top1_agreement"]).toBeLessThan(1);
  });

  it("is asked on so many prompts, of the monitoring set if there is one", async () => {
    const asked = async (measuring: Partial<ReturnType<typeof measured>>, count: number) => {
      const seen: (readonly number[])[] = [];
      const prepare = (engine: BigramEngine) => {
        engine.before = (verb, [, request]) => {
          const { temperature, prompts: all } = request as { temperature: number; prompts: number[][] };
          if (verb === "sample" && temperature === 0) seen.push(...all);
        };
      };
      const control = { probes: { prompts: count } };
      await runPpo({ ppo: { ...ppo, iterations: 1 }, measuring, control, prepare });
      return seen;
    };
    const tokens = (...texts: string[]) => prompts(...texts).map((prompt) => prompt.tokens);
    expect(await asked({}, 3)).toEqual(tokens("b", "c d", "e f g"));
    expect(await asked(measured(), 2)).toEqual(tokens("g", "f e"));
  });
});

it("agreement with people is the correlation of their ratings with the whole reward; a fault in the reward shows", async () => {
  const agreement = async (options: object) =>
    (await runPpo({ ppo: { ...ppo, iterations: 1 }, measuring: measured(), control: every(1), ...options })).curve.get(
      0,
    )!["reward/rating_correlation"];
  // Scores 2, 1, 0 against 5, 2.5, 3.
  expect(await agreement({})).toBeCloseTo(2 / Math.sqrt(2 * 3.5), 12);
  expect(await agreement({ faults: ["reward-flip@0"] })).toBeCloseTo(-2 / Math.sqrt(2 * 3.5), 12);
  expect(await agreement({ measuring: { ...measured(), ratings: [] } })).toBeUndefined();
});

it("health sees what is measured beside the update", async () => {
  const { curve } = await runPpo({
    ppo: { ...ppo, iterations: 2 },
    measuring: measured(),
    control: every(1),
    faults: ["reward-flip@1"],
  });
  // The accuracy falls from 2/3 to 0.
  expect(curve.get(1)!["health/reward_integrity"]).toBe(0);
  expect(curve.get(0)!["health/reward_integrity"]).toBeGreaterThan(50);
});

describe("the reward's accuracy", () => {
  const accuracy = async (options: object) =>
    (await runPpo({ ppo: { ...ppo, iterations: 1 }, measuring: measured(), control: every(1), ...options })).curve.get(
      0,
    )!["reward_model/probe_accuracy"];

  it("is that of the whole reward, ties wrong; a fault in the reward shows", async () => {
    expect(await accuracy({})).toBe(2 / 3);
    expect(await accuracy({ faults: ["reward-flip@0"] })).toBe(0);
  });

  it("is absent, with a warning, if the reward cannot judge the pairs", async () => {
    const score: typeof wantsA = (row) => {
      if (row.response === "a a b") throw new RewardError("no reference");
      return wantsA(row);
    };
    const world = newWorld();
    expect(await accuracy({ score, world })).toBeUndefined();
    expect(world.store.messages("warning")).toEqual(
      expect.arrayContaining([expect.stringMatching(/cannot judge what probes asks.*no reference/)]),
    );
  });
});

describe("monitoring", () => {
  it("rises with what the policy learns, over so many samples", async () => {
    const control = { monitor: { every: 4, samples: 60 } };
    const { curve } = await runPpo({ ppo: { ...ppo, sequences: 32 }, measuring: measured(), control });
    const [first, last] = [curve.get(0)!, curve.get(4)!];
    expect(last["monitor/saysA"]).toBeGreaterThan(first["monitor/saysA"]!);
    expect(last["monitor/score"]).toBeGreaterThan(first["monitor/score"]!);
    expect(first["monitor/gold"]).toBe(first["monitor/saysA"]);
    expect((first["monitor/gold"]! * 60) % 1).toBeCloseTo(0, 9);
  });
});

describe("gold on the rollout", () => {
  it("is measured if the prompts have a check, and never rewarded", async () => {
    const run = (everyRollout: boolean) =>
      runPpo({
        ppo,
        prompts: prompts("b", "c d"),
        measuring: { ...measured(), gold: { ...measured().gold!, everyRollout } },
      });
    const [judged, not] = [await run(true), await run(false)];
    expect(judged.weights).toBe(not.weights);
    expect(judged.curve.get(0)).toHaveProperty(["gold/saysA"]);
    expect(judged.curve.get(0)!["reward/gold_correlation"]).toBeGreaterThan(0.3);
    expect(
      Object.keys(not.curve.get(0)!).filter((key) => /gold(\/|_corr)/.test(key) && !key.startsWith("monitor")),
    ).toEqual([]);
  });

  it("ends nothing if the check fails: it is a measurement", async () => {
    const check = async () => {
      throw new RewardError("the judge gave no score: it answered 500, after 4 tries");
    };
    const gold = { check, everyRollout: true, independent: true };
    const [failed, judged] = [
      await runPpo({ ppo, measuring: { ...measured(), gold } }),
      await runPpo({ ppo, measuring: measured() }),
    ];
    expect(failed.weights).toBe(judged.weights);
    expect(failed.curve.get(0)).not.toHaveProperty(["gold/mean"]);
    expect(
      failed.world.store.messages("warning").filter((message) => /gold check failed.*500/.test(message)),
    ).toHaveLength(1);
  });
});
