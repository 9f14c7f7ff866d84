/** An operator's commands about interventions: `undo`, and a `set` that ends one, also on resume. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Killed } from "../../test/support/killed.ts";
import type { MemoryStore } from "../../test/support/memory-recorder.ts";
import { rule } from "../../test/support/rules.ts";
import { type PpoRun, runPpo } from "../../test/support/run-ppo.ts";
import { newWorld, type World } from "../../test/support/stage.ts";
import type { Decision } from "../control/decisions.ts";
import { replay } from "../control/replay-rules.ts";
import { controlSchema } from "../settings/config-schema.ts";
import type { CommandKind } from "../types/records.ts";
import { Interrupted } from "../util/errors.ts";

const rules = [
  rule("tier: 2, when: {signal: response/length_mean, above: 0}, action: {learningRate: 0.5}, cooldown: 3", "rate"),
  rule("tier: 2, when: {signal: response/length_mean, above: 0}, action: {klCoef: 2}, cooldown: 9", "coefficient"),
];
const control = { profile: "adaptive" };
const ppo = { iterations: 8, checkpointEvery: 0, keep: 9 };

type Told = readonly [CommandKind, Record<string, unknown>?];

/** Runs with these commands, each given once after this many iterations. */
function told(
  commands: Readonly<Record<number, readonly Told[]>>,
  { diesAt, ...options }: PpoRun & { world: World; diesAt?: number },
) {
  const given = new Set<number>();
  const onProgress = ({ step }: { step: number }) => {
    if (step === diesAt) throw new Killed();
    if (given.has(step)) return;
    given.add(step);
    for (const [kind, payload] of commands[step] ?? []) options.world.store.command(kind, payload, "a test");
  };
  return runPpo({ ppo, rules, control, ...options, context: { onProgress, ...options.context } });
}

type Without<Row, Key extends string> = Row extends unknown ? Omit<Row, Key> : never;

/** Rows that no later attempt has superseded. */
function current<Row extends { readonly attempt: number; readonly iteration: number }>(
  { events }: MemoryStore,
  rows: readonly Row[],
): Without<Row, "attempt">[] {
  const begins = events.filter(({ kind }) => kind === "resumed");
  return rows
    .filter((row) => !begins.some((one) => one.attempt > row.attempt && one.iteration <= row.iteration))
    .map(({ attempt, ...row }) => row as Without<Row, "attempt">);
}

const decided = (store: MemoryStore) =>
  current(store, store.events)
    .filter(({ kind }) => kind === "alert" || kind === "outcome" || kind === "intervention")
    .map(({ kind, iteration, message, data }) => ({ kind, iteration, message, data }) as Decision);

function replayed(store: MemoryStore): Decision[] {
  const { profile, interventions, klCoef } = controlSchema.parse(control);
  return replay({ rules, consultations: current(store, store.consultations), profile, interventions, klCoef });
}

const outcomes = (store: MemoryStore) =>
  decided(store).flatMap(({ iteration, kind, message }) => (kind === "outcome" ? [`${iteration} ${message}`] : []));

const changes = (store: MemoryStore, key: string) =>
  current(store, store.settings)
    .filter((change) => change.key === key && change.cause !== "config")
    .map(({ iteration, before, value, cause, intervention }) => [iteration, before, value, cause, intervention]);

const said = (store: MemoryStore) =>
  current(store, store.events).flatMap(({ kind, message }) => (kind === "command" ? [message] : []));

describe("undo", () => {
  it("ends an intervention before the next iteration, restores the setting and holds the rule", async () => {
    const world = newWorld();
    const { curve } = await told({ 3: [["undo", { intervention: 1 }]] }, { world });
    expect([...curve.values()].map((row) => row["settings/learning_rate_multiplier"])).toEqual([
      0.5, 0.5, 0.5, 1, 1, 1, 0.5, 0.5,
    ]);
    expect(outcomes(world.store)).toEqual(["3 outcome of rate: undone by an operator; learning rate restored"]);
    const factors = changes(world.store, "ppo.learningRate").map(([iteration, before, value, ...cause]) => [
      iteration,
      Number(value) / Number(before),
      ...cause,
    ]);
    expect(factors).toEqual([
      [0, 0.5, "intervention", 1],
      [3, 2, "intervention", 1],
      [6, 0.5, "intervention", 3],
    ]);
    expect(said(world.store)).toEqual(["intervention 1 undone (a test)"]);
    expect(replayed(world.store)).toEqual(decided(world.store));
  });

  it("of what is not in force says so and changes nothing", async () => {
    const world = newWorld();
    const untouched = await runPpo({ ppo, rules, control });
    const commands = [[9], ["1"], [1], [1]].map(([intervention]) => ["undo", { intervention }] as const);
    const { curve } = await told(
      {
        1: [
          ["undo", { intervention: 9 }],
          ["undo", {}],
          ["undo", { intervention: "1" }],
        ],
      },
      { world },
    );
    expect([...curve]).toEqual([...untouched.curve]);
    expect(said(world.store)).toEqual([
      "intervention 9 is not in force: nothing is undone (a test)",
      "intervention undefined is not in force: nothing is undone (a test)",
      "intervention 1 is not in force: nothing is undone (a test)",
    ]);
    const twice = newWorld();
    await told({ 1: commands }, { world: twice });
    expect(said(twice.store).at(-1)).toBe("intervention 1 is not in force: nothing is undone (a test)");
    expect(outcomes(twice.store).filter((line) => line.includes("undone"))).toHaveLength(1);
  });

  it("waits for PPO if it comes before", async () => {
    const world = newWorld();
    world.store.command("undo", { intervention: 1 });
    await runPpo({ world, ppo: { ...ppo, iterations: 1 }, rules, control });
    expect(said(world.store)).toEqual(["intervention 1 is not in force: nothing is undone"]);
  });
});

describe.each([
  ["undo", [["undo", { intervention: 1 }]]],
  [
    "undo of two",
    [
      ["undo", { intervention: 2 }],
      ["undo", { intervention: 1 }],
    ],
  ],
  ["set", [["set", { key: "ppo.learningRate", value: 0.02 }]]],
  [
    "both",
    [
      ["set", { key: "ppo.criticLearningRate", value: 0.02 }],
      ["undo", { intervention: 2 }],
      ["set", { key: "ppo.criticLearningRate", value: 0.02 }],
      ["set", { key: "ppo.clipLow", value: 0.1 }],
    ],
  ],
] as [string, Told[]][])("%s on resume", (_, commands) => {
  const compare = (world: World, whole: World, curves: readonly (readonly unknown[])[]) => {
    expect(curves[0]).toEqual(curves[1]);
    expect(decided(world.store)).toEqual(decided(whole.store));
    expect(replayed(world.store)).toEqual(decided(world.store));
    for (const key of ["ppo.learningRate", "ppo.criticLearningRate", "ppo.kl.coef"])
      expect(changes(world.store, key)).toEqual(changes(whole.store, key));
    expect(said(world.store).filter((message) => !message.startsWith("stop"))).toEqual(said(whole.store));
  };

  it("if the run was saved with it is recorded again, once", async () => {
    const [whole, world] = [newWorld(), newWorld()];
    const { curve } = await told({ 3: commands }, { world: whole });
    await expect(told({ 3: [...commands, ["stop"]] }, { world })).rejects.toThrow(Interrupted);
    const resumed = await told({}, { world, context: { resume: true } });
    compare(world, whole, [[...resumed.curve], [...curve]]);
  });

  it("from before it is applied again", async () => {
    const [whole, world] = [newWorld(), newWorld()];
    const settings = { ...ppo, checkpointEvery: 2 };
    const { curve } = await told({ 3: commands }, { world: whole, ppo: settings });
    await expect(told({ 3: commands }, { world, ppo: settings, diesAt: 5 })).rejects.toThrow(Killed);
    // The newest checkpoint has 4 iterations: go back to the one with 2.
    rmSync(join(world.folder, "ppo", "checkpoint-000004"), { recursive: true });
    const resumed = await told({}, { world, ppo: settings, context: { resume: true } });
    compare(world, whole, [[...resumed.curve], [...curve]]);
  });
});
