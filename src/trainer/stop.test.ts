import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { BigramEngine } from "../../test/support/bigram-engine.ts";
import { killedAt, wasKilled } from "../../test/support/killed.ts";
import { runPpo } from "../../test/support/run-ppo.ts";
import { newWorld } from "../../test/support/stage.ts";
import { parseConfig } from "../config/index.ts";
import { judged, measured, noBest } from "./keep-best.ts";
import { observeTargets, targetMet } from "./stop.ts";

const ppo = { iterations: 8, checkpointEvery: 1 };
const when = (target: object) => ({ stop: { when: [target] } });

describe("ppo.stop.when", () => {
  it("ends training as done, with the model of that iteration, and says why", async () => {
    const target = { signal: "update/epochs", above: 1, for: 3 };
    const { curve, result, world, weights } = await runPpo({ ppo: { ...ppo, ...when(target) } });
    expect([...curve.keys()]).toEqual([0, 1, 2]);
    expect(result.steps).toBe(3);
    expect(world.store.messages("note")).toEqual([
      "target met: update/epochs 2 > 1 in 3 measurements in a row (ppo.stop.when)",
    ]);
    expect(world.store.messages("stage_finished")).toHaveLength(1);
    // It equals the run of three iterations.
    expect(weights).toBe((await runPpo({ ppo: { ...ppo, iterations: 3 } })).weights);
  });

  it("goes on to the end if the target is not met", async () => {
    const { curve, world } = await runPpo({ ppo: { ...ppo, ...when({ signal: "update/epochs", below: 2 }) } });
    expect(curve.size).toBe(8);
    expect(world.store.messages("note")).toEqual([]);
  });

  it("killed anywhere near its end and resumed ends where it would have", async () => {
    const options = { ppo: { ...ppo, ...when({ signal: "update/epochs", above: 1, for: 3 }) } };
    let calls = 0;
    const counted = (engine: BigramEngine) => {
      engine.before = () => {
        calls++;
      };
    };
    const whole = await runPpo({ ...options, prepare: counted });
    for (let at = calls; at > calls - 40; at -= 3) {
      const world = newWorld();
      expect(await wasKilled(runPpo({ ...options, world, prepare: killedAt(at) }))).toBe(true);
      const resumed = await runPpo({ ...options, world, context: { resume: true } });
      expect(resumed.weights).toBe(whole.weights);
      expect([...resumed.curve]).toEqual([...whole.curve]);
    }
  });

  it("counts measurements in a row: absent ones change nothing, a NaN begins anew", () => {
    const targets = [
      { signal: "monitor/gold", above: 0.8, for: 2 },
      { signal: "kl/ref_k3_token", below: 0.01, for: 1 },
    ];
    const progressOf = (...golds: (number | null)[]) =>
      golds.reduce<ReturnType<typeof observeTargets>>(
        (progress, gold) => observeTargets(targets, progress, gold === null ? {} : { "monitor/gold": gold }),
        [],
      );
    expect(targetMet(targets, [])).toBeNull();
    expect(targetMet(targets, progressOf(0.9, null, null))).toBeNull();
    expect(targetMet(targets, progressOf(0.9, null, 0.81234))).toBe(
      "target met: monitor/gold 0.812 > 0.8 in 2 measurements in a row (ppo.stop.when)",
    );
    expect(targetMet(targets, progressOf(0.9, 0.8, 0.9))).toBeNull();
    expect(targetMet(targets, progressOf(0.9, Number.NaN, 0.9))).toBeNull();
    expect(targetMet(targets, observeTargets(targets, [], { "kl/ref_k3_token": 0.001 }))).toBe(
      "target met: kl/ref_k3_token 0.001 < 0.01 (ppo.stop.when)",
    );
  });

  it.each([
    [
      "signal: entropy/meam, above: 0.8",
      "ppo.stop.when.0: there is no signal entropy/meam; did you mean entropy/mean?",
    ],
    ["signal: step/approx_kl, above: 0.8", "step/approx_kl is measured at each step"],
    ["signal: monitor/gold", "ppo.stop.when.0: a target needs one threshold, above or below"],
    ["signal: monitor/gold, above: 0.8, below: 0.9", "a target needs one threshold, above or below"],
    ["signal: monitor/gold, above: 0.8, for: 3", "3 measurements in a row take 30 iterations, and the run has 20"],
    ["signal: monitor/gold, above: 0.8, form: 3", 'unknown key "form" in ppo.stop.when.0; did you mean for?'],
  ])("{%s} is a mistake in its line", (target, message) => {
    const text = `objective: x\ndemo: {}\nreward: {}\nppo:\n  iterations: 20\n  stop:\n    when:\n      - {${target}}\n`;
    expect(() => parseConfig(text, "c.yaml")).toThrow(`c.yaml:8: `);
    expect(() => parseConfig(text, "c.yaml")).toThrow(message);
  });
});

describe("ppo.keep: best", () => {
  const checkpoints = (folder: string) => readdirSync(folder).filter((name) => name.startsWith("checkpoint-"));

  it("keeps the checkpoint with the best score beside the newest", async () => {
    // A reward that the policy unlearns: the second half pays for the opposite.
    let calls = 0;
    const score = () => (calls++ < 16 * 4 ? calls : -calls);
    const options = { score, ppo: { ...ppo, keep: "best" }, control: { interventions: "off" } };
    const { context, curve, world } = await runPpo(options);
    const scores = [...curve.values()].map((row) => row["reward/score_mean"]!);
    const best = scores.indexOf(Math.max(...scores)) + 1;
    expect(best).toBeLessThan(7);
    const kept = checkpoints(context.folder);
    expect(kept).toContain(`checkpoint-00000${best}`);
    expect(kept).toContain("checkpoint-000008");
    expect(world.store.messages("checkpoint")[best - 1]).toMatch(/, the best so far: reward\/score_mean -?\d/);
    calls = 0;
    const newest = await runPpo({ ...options, ppo: { ...ppo, keep: 1 } });
    expect(checkpoints(newest.context.folder)).not.toContain(`checkpoint-00000${best}`);
  });

  it("is judged by the gold check if there is one, by its newest measurement", () => {
    let best = judged(measured(noBest, { "reward/score_mean": 5 }), 1);
    expect(best.checkpoint).toEqual({ signal: "reward/score_mean", value: 5, step: 1 });
    best = judged(measured(best, { "monitor/gold": 0.6, "reward/score_mean": 1 }), 2);
    expect(best.checkpoint).toEqual({ signal: "monitor/gold", value: 0.6, step: 2 });
    best = measured(best, { "monitor/gold": 0.5 });
    expect(judged(measured(best, { "reward/score_mean": 9 }), 3).checkpoint!.step).toBe(2);
    expect(judged(measured(best, { "monitor/gold": Number.NaN }), 3).checkpoint!.step).toBe(2);
    expect(judged(measured(best, { "monitor/gold": 0.7 }), 3).checkpoint!.step).toBe(3);
  });

  it("is one of what is allowed", () => {
    const text = (keep: string) => `objective: x\ndemo: {}\nreward: {}\nppo: {keep: ${keep}}\n`;
    expect(parseConfig(text("best"), "c.yaml").config.ppo!.keep).toBe("best");
    expect(() => parseConfig(text("worst"), "c.yaml")).toThrow(
      'ppo.keep: expected a whole number from 1, or best, found the text "worst"',
    );
    expect(() => parseConfig(text("0"), "c.yaml")).toThrow(
      "ppo.keep: expected a whole number from 1, or best, found 0",
    );
  });
});
