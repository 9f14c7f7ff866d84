import { describe, expect, it } from "vitest";
import { runPpo, wantsA } from "../../test/support/run-ppo.ts";
import { newWorld } from "../../test/support/stage.ts";
import { type FaultName, faultNames } from "../config/fault-names.ts";
import { defaultRules } from "../control/rules/load-rules.ts";
import type { Alert } from "../types/alerts.ts";

const from = 3;
const ppo = { iterations: 4, sequences: 32, responsesPerPrompt: 2 };

async function run(faults: string[], more: Parameters<typeof runPpo>[0] = {}) {
  const all = await runPpo({ ppo, ...more, faults });
  const at = (key: string, iteration = from) => all.curve.get(iteration)?.[key];
  return { ...all, at };
}

describe("a fault", () => {
  it.each(faultNames)("%s changes nothing before its iteration, and what it is about from there on", async (name) => {
    const [healthy, faulty] = [await run([]), await run([`${name}@${from}`])];
    const signals = ({ curve }: typeof healthy, iteration: number) =>
      Object.fromEntries(
        Object.entries(curve.get(iteration)!).filter(
          ([key]) => !key.startsWith("time/") && !key.startsWith("machine/"),
        ),
      );
    for (let i = 0; i < from; i++) expect(signals(faulty, i)).toEqual(signals(healthy, i));
    const events = faulty.world.store.events.filter(({ kind }) => kind === "fault");
    expect(events.map(({ iteration, data }) => [iteration, data])).toEqual([[from, { fault: name }]]);
    // The bigram reward has no safety categories.
    if (name !== "unsafe" && name !== "loophole") expect(signals(faulty, from)).not.toEqual(signals(healthy, from));
  });

  it("shows in the signals that watch for it", async () => {
    const healthy = await run([]);
    const of = async (name: FaultName) => run([`${name}@${from}`]);
    expect((await of("lr-spike")).at("settings/policy_learning_rate")).toBeCloseTo(30 * 0.05);
    expect((await of("reward-flip")).at("reward/score_mean")).toBeCloseTo(-healthy.at("reward/score_mean")!);
    expect((await of("reward-noise")).at("reward/score_std")).toBeGreaterThan(2 * healthy.at("reward/score_std")!);
    expect((await of("length-runaway")).at("reward/length_correlation")).toBeGreaterThan(0.5);
    expect((await of("nan-gradient")).at("update/steps_skipped")).toBe(1);
    expect((await of("stale-rollouts")).at("ratio/first_max_deviation")).toBeGreaterThan(1e-3);
    expect((await of("reference-drift")).at("kl/ref_k3_token")).toBe(0);
    expect((await of("critic-frozen")).at("gradient/critic_norm")).toBe(0);
    expect((await of("temperature")).at("entropy/mean")).toBeLessThan(0.5 * healthy.at("entropy/mean")!);
    expect((await of("advantages")).at("advantage/abs_mean")).toBeGreaterThan(10);
    expect((await of("few-sequences")).at("settings/minibatches")).toBe(4);
    expect((await of("narrow-prompts")).at("response/distinct_prompts_share")).toBe(1 / 32);
  });

  it("is caught by the default rule meant for it", async () => {
    const caught = async (name: FaultName) => {
      const { world } = await run([`${name}@${from}`], {
        rules: defaultRules().filter(({ id }) => rulesOf[name]!.includes(id)),
        control: { profile: "adaptive", interventions: "off" },
      });
      const alerts = world.store.events.filter(({ kind }) => kind === "alert").map(({ data }) => data!.alert as Alert);
      return alerts.filter(({ iteration }) => iteration === from).map(({ rule }) => rule);
    };
    const rulesOf: Partial<Record<FaultName, string[]>> = {
      "nan-gradient": ["nonfinite"],
      "stale-rollouts": ["first_ratio"],
      "reference-drift": ["reference_fingerprint"],
      advantages: ["advantage_scale"],
    };
    for (const name of Object.keys(rulesOf) as FaultName[])
      expect(await caught(name), name).toContain(rulesOf[name]![0]);
  });
});

describe("a resumed run", () => {
  it.each(["reward-noise", "reference-drift", "stale-rollouts", "few-sequences"])(
    "has the fault %s as before",
    async (name) => {
      const faults = [`${name}@1`];
      const whole = await run(faults, { ppo: { ...ppo, checkpointEvery: 1 } });
      const world = newWorld();
      let asked = 0;
      const interrupted = () => ++asked > 20;
      await expect(
        run(faults, { world, ppo: { ...ppo, checkpointEvery: 1 }, context: { interrupted } }),
      ).rejects.toThrow("interrupted");
      const resumed = await run(faults, { world, ppo: { ...ppo, checkpointEvery: 1 }, context: { resume: true } });
      expect(resumed.weights).toBe(whole.weights);
    },
  );
});

it("a token that earns points is scored by its count, on top of the reward", async () => {
  const plain = await run([], { score: wantsA });
  const loophole = await run(["loophole@0", "unsafe@0"], { score: wantsA });
  expect(loophole.at("reward/score_mean", 0)).toBe(plain.at("reward/score_mean", 0));
});
