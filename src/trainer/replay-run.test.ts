import { describe, expect, it } from "vitest";
import { MemoryStore } from "../../test/support/memory-recorder.ts";
import fc from "../../test/support/property.ts";
import { rule } from "../../test/support/rules.ts";
import { runPpo } from "../../test/support/run-ppo.ts";
import { newWorld } from "../../test/support/stage.ts";
import type { Decision } from "../control/decisions.ts";
import { replay } from "../control/replay-rules.ts";
import type { Rule } from "../control/rules/rule.ts";
import { firstControlState } from "../control/state.ts";
import { controlSchema } from "../settings/config-schema.ts";
import { Control } from "./controller.ts";

/** Rows of iterations that no later attempt has superseded. */
function current<Row extends { readonly attempt: number; readonly iteration: number }>(
  { events }: MemoryStore,
  rows: readonly Row[],
): Row[] {
  const begins = events.filter(({ kind }) => kind === "resumed");
  return rows.filter((row) => !begins.some((one) => one.attempt > row.attempt && one.iteration <= row.iteration));
}

function decided(store: MemoryStore): Decision[] {
  return current(store, store.events)
    .filter(({ kind }) => kind === "alert" || kind === "outcome" || kind === "intervention")
    .map(({ kind, iteration, message, data }) => ({ kind, iteration, message, data }) as Decision);
}

function replayed(store: MemoryStore, rules: readonly Rule[], control: object = {}): Decision[] {
  const { profile, interventions, klCoef } = controlSchema.parse(control);
  return replay({ rules, consultations: current(store, store.consultations), profile, interventions, klCoef });
}

const adaptive = { profile: "adaptive" };
const ppo = { iterations: 8, checkpointEvery: 1, keep: 2 };
const lively = [
  rule("tier: 3, when: {signal: kl/old_new_k3_token, above: 0}, cooldown: 0", "note"),
  rule(
    "tier: 2, when: {signal: kl/old_new_k3_token, statistic: change, over: 2, above: 0}, action: {learningRate: 0.7}, duration: 3, cooldown: 1",
    "rate",
  ),
  rule(
    "tier: 2, when: {signal: response/length_mean, statistic: change, over: 2, above: 0}, action: {klCoef: 1.7}, duration: 2",
    "coefficient",
  ),
  rule("tier: 2, when: {signal: step/approx_kl, above: 1e-6}, action: {clip: 0.8}, duration: 2, cooldown: 3", "step"),
];
const stops = (signal: string) => rule(`tier: 1, when: {signal: ${signal}, above: 0}, minHistory: 4`, "fourth");

describe("a run's own rules decide on replay what they decided", () => {
  it("through a schedule, a controller of the KL coefficient and an operator's settings", async () => {
    const world = newWorld();
    world.store.command("set", { key: "ppo.learningRate", value: 0.02 });
    const settings = { ...ppo, schedule: "linear", kl: { controller: "ziegler", target: 0.01 } };
    await runPpo({ world, ppo: settings, rules: lively, control: adaptive });
    const own = decided(world.store);
    expect(new Set(own.map(({ kind }) => kind))).toEqual(new Set(["alert", "intervention", "outcome"]));
    expect(replayed(world.store, lively, adaptive)).toEqual(own);
  });

  it.each(["response/length_mean", "update/epochs"])(
    "over an incident on %s that an operator lets pass",
    async (signal) => {
      const rules = [...lively, stops(signal)];
      const world = newWorld();
      await expect(runPpo({ world, ppo, rules, control: adaptive })).rejects.toThrow("incident 1");
      expect(replayed(world.store, rules, adaptive)).toEqual(decided(world.store));
      world.store.decide(1, { action: "resume", reason: "as it should be" });
      world.store.command("set", { key: "ppo.clipHigh", value: 0.15 });
      await runPpo({ world, ppo, rules, control: adaptive, context: { resume: true } });
      expect(replayed(world.store, rules, adaptive)).toEqual(decided(world.store));

      const waiting = newWorld();
      const decides = setInterval(() => {
        if (waiting.store.incidents.length === 0) return;
        waiting.store.command("set", { key: "ppo.clipHigh", value: 0.15 });
        waiting.store.decide(1, { action: "resume", reason: "go on" });
        clearInterval(decides);
      }, 20);
      await runPpo({ world: waiting, ppo, rules, control: adaptive, context: { wait: true } });
      const own = decided(waiting.store);
      expect(replayed(waiting.store, rules, adaptive)).toEqual(own);
      expect(own).toEqual(decided(world.store));
    },
  );

  it("after a rollback", async () => {
    const back = rule(
      "tier: 2, when: {signal: update/epochs, above: 0}, minHistory: 4, action: {rollback: {ppo.clipLow: 0.1}}",
      "back",
    );
    const world = newWorld();
    const rules = [lively[0]!, back];
    const run = (more = {}) => runPpo({ world, ppo, rules, control: adaptive, ...more });
    await expect(run()).rejects.toThrow("rolled back");
    await expect(run({ context: { resume: true } })).rejects.toThrow("incident 1");
    expect(replayed(world.store, rules, adaptive)).toEqual(decided(world.store));
  });

  it("whatever it measured", () => {
    const value = fc.oneof(fc.double({ min: -1, max: 1 }), fc.constant(Number.NaN));
    const iteration = fc.record(
      {
        "response/length_mean": value,
        "kl/old_new_k3_token": value,
        "kl/coef": fc.double({ min: 0, max: 2, noNaN: true }),
        "step/approx_kl": value,
        person: fc.constantFrom("ppo.learningRate", "ppo.clipLow", "ppo.kl.coef"),
        undone: fc.integer({ min: 1, max: 8 }),
        acknowledged: fc.constantFrom("rate", "coefficient"),
      },
      { requiredKeys: ["kl/coef"] },
    );
    fc.assert(
      fc.property(fc.array(iteration, { maxLength: 30 }), (iterations) => {
        const store = new MemoryStore();
        const recorder = store.recorder();
        const settings = controlSchema.parse(adaptive);
        const state = firstControlState;
        const control = new Control({ rules: lively, settings, state, iteration: 0, recorder });
        for (const [i, { person, undone, acknowledged, ...signals }] of iterations.entries()) {
          const klCoef = signals["kl/coef"];
          const rates = { policyRate: 1e-3 / (i + 1), criticRate: 2e-3 };
          const base = {
            ...rates,
            clipLow: 0.2,
            clipHigh: 0.3,
            klCoef,
            valueUpdates: 1,
            embeddingsRate: 1,
            slowCriticDecay: 0,
            clipWide: 0,
          };
          if (person) control.setByOperator(person, { iteration: i, base });
          if (undone) control.undo(undone, { iteration: i, base });
          control.afterScoring(i, signals, base);
          const { "step/approx_kl": kl } = signals;
          if (kl !== undefined) control.beforeStep(i, 0, { "step/approx_kl": kl }, base);
          control.afterUpdate(i, signals, { ...base, klCoef: klCoef * 1.1 });
          if (acknowledged) control.acknowledge(acknowledged, { iteration: i, next: i + 1 });
        }
        recorder.commit();
        expect(replayed(store, lively, adaptive)).toEqual(decided(store));
      }),
      { numRuns: 60 },
    );
  });
});

it("other rules decide otherwise on the same record", async () => {
  const { world } = await runPpo({ ppo, rules: lively, control: adaptive });
  const other = [{ ...lively[0]!, cooldown: 3 }];
  expect(replayed(world.store, other).map(({ kind, iteration }) => [kind, iteration])).toEqual([
    ["alert", 0],
    ["alert", 3],
    ["alert", 6],
  ]);
});
