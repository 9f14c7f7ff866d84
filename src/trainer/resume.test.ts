import {
  appendFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { BigramEngine } from "../../test/support/bigram-engine.ts";
import { Killed, killedAt, wasKilled } from "../../test/support/killed.ts";
import { type PpoRun, runPpo, wantsA } from "../../test/support/run-ppo.ts";
import { newWorld, type World } from "../../test/support/stage.ts";
import { Interrupted } from "../util/errors.ts";
import { fromJson } from "../util/json-values.ts";
import { random } from "../util/random.ts";
import { writeFolder } from "./atomic-folder.ts";
import type { TrainerState } from "./checkpoint.ts";
import type { OnlineState } from "./online-state.ts";

/** History, schedule, a moving KL coefficient, two minibatches: everything that a checkpoint must carry. */
const ppo = {
  iterations: 8,
  checkpointEvery: 3,
  schedule: "cosine",
  warmup: 0.3,
  sequences: 8,
  kl: { controller: "ziegler", target: 0.01, horizon: 100 },
};

/** The same with everything else that moves: a coefficient of the penalty, a target, clip phases, the critic's average, rates. */
const moving = {
  ...ppo,
  schedule: "step",
  stepEvery: 2,
  kl: { ...ppo.kl, targetEnd: 0.001 },
  policyLoss: "penalty",
  penalty: { controller: "exponential", target: 1e-4, alpha: 100 },
  clipSchedule: "phases",
  slowCritic: { decay: 0.9 },
  layerRates: {},
};

const killedRun = (world: World, n: number, options: PpoRun = {}) =>
  wasKilled(runPpo({ ppo, world, prepare: killedAt(n), context: { resume: true }, ...options }));

describe("a run killed at any call of the engine", () => {
  it.each([1, 2, 3, 4])("ends in the same weights and the same metrics (%i)", async (seed) => {
    const whole = await runPpo({ ppo });
    const stream = random("kill", seed);
    const world = newWorld();
    let kills = 0;
    while (await killedRun(world, 20 + stream.integer(120))) kills++;
    expect(kills).toBeGreaterThan(0);
    const { weights, curve } = await runPpo({ ppo, world, context: { resume: true } }).catch(() => ({
      weights: readFileSync(join(world.folder, "ppo", "final", "model.safetensors"), "utf8"),
      curve: world.store.curve("ppo"),
    }));
    expect(weights).toBe(whole.weights);
    expect([...curve]).toEqual([...whole.curve]);
  });

  it.each([0, 1, 2])("whatever schedules and controllers move (%i)", async (seed) => {
    const settings = { ...moving, policyLoss: seed === 0 ? "clip" : "penalty" };
    const whole = await runPpo({ ppo: settings });
    const stream = random("kill", "moving", seed);
    const world = newWorld();
    let kills = 0;
    while (await killedRun(world, 40 + stream.integer(160), { ppo: settings })) kills++;
    expect(kills).toBeGreaterThan(0);
    expect(readFileSync(join(world.folder, "ppo", "final", "model.safetensors"), "utf8")).toBe(whole.weights);
    expect([...world.store.curve("ppo")]).toEqual([...whole.curve]);
  });

  it("while it saves: the checkpoint before is used, and nothing half written is left", async () => {
    const whole = await runPpo({ ppo });
    const world = newWorld();
    const prepare = (engine: BigramEngine) => {
      let saves = 0;
      // Two models per checkpoint: dies between the two of the second.
      engine.before = (verb) => {
        if (saves >= 4 || (verb === "saveModel" && ++saves === 4)) throw new Killed();
      };
    };
    await expect(runPpo({ ppo, world, prepare })).rejects.toThrow();
    const { weights, context } = await runPpo({ ppo, world, context: { resume: true } });
    expect(weights).toBe(whole.weights);
    expect(readdirSync(context.folder).filter((name) => name.startsWith("."))).toEqual([]);
  });
});

describe("an interruption", () => {
  it.each([1, 5, 9, 14, 30])("at question %i saves the state and goes on as if nothing had been", async (question) => {
    const whole = await runPpo({ ppo });
    const world = newWorld();
    let asked = 0;
    await expect(runPpo({ ppo, world, context: { interrupted: () => ++asked >= question } })).rejects.toThrow(
      Interrupted,
    );
    const saved = readdirSync(join(world.folder, "ppo")).filter((name) => name.startsWith("checkpoint-"));
    expect(saved.length).toBeGreaterThan(0);
    const { weights, curve } = await runPpo({ ppo, world, context: { resume: true } });
    expect(weights).toBe(whole.weights);
    expect([...curve]).toEqual([...whole.curve]);
    // No iteration was done twice: the state was saved at that moment.
    const rows = world.store.metrics.map(({ iteration }) => iteration);
    expect(rows).toEqual([...new Set(rows)]);
  });

  it("says where the state is", async () => {
    const error = await runPpo({ ppo, context: { interrupted: () => true } }).catch((caught) => caught);
    expect(error.message).toMatch(/interrupted in ppo at iteration 0 of 8; its state is saved in .*checkpoint-000000/);
  });
});

describe("commands", () => {
  /** Gives a command after this many iterations. */
  const commanded = (done: number, give: () => void): PpoRun["context"] => {
    let given = false;
    return {
      resume: true,
      onProgress: ({ step }) => {
        if (step === done && !given) give();
        given ||= step === done;
      },
    };
  };
  const setClip = (world: World) => () => world.store.command("set", { key: "ppo.kl.coef", value: 0.7 }, "drifts");

  it("change a setting between iterations, and leave a trail", async () => {
    const world = newWorld();
    const { curve } = await runPpo({ ppo, world, context: commanded(4, setClip(world)) });
    expect(curve.get(3)!["kl/coef"]).not.toBe(0.7);
    expect(curve.get(4)!["kl/coef"]).toBe(0.7);
    const change = world.store.settings.find(({ cause }) => cause === "operator")!;
    // Not the configured 0.05, but the value that the controller had reached.
    const before = world.store.settings.find(
      ({ cause, iteration }) => cause === "controller" && iteration === 4,
    )!.value;
    expect(change).toMatchObject({ key: "ppo.kl.coef", before, value: 0.7, iteration: 4 });
    expect(world.store.messages("command")).toEqual([`ppo.kl.coef set from ${before} to 0.7 (drifts)`]);
  });

  it("are applied again where they were, when the run is killed and resumed", async () => {
    const kept = newWorld();
    const whole = await runPpo({ ppo, world: kept, context: commanded(4, setClip(kept)) });
    for (const n of [160, 175, 200, 236]) {
      const world = newWorld();
      const killed = await killedRun(world, n, { context: commanded(4, setClip(world)) });
      expect(killed).toBe(true);
      expect(world.store.commands).toHaveLength(1);
      const { weights, curve } = await runPpo({ ppo, world, context: { resume: true } });
      expect(weights).toBe(whole.weights);
      expect([...curve]).toEqual([...whole.curve]);
    }
  });

  it("that cannot be are refused in words, and the run goes on", async () => {
    const world = newWorld();
    const refused = (key: string, value: unknown) => world.store.command("set", { key, value });
    refused("ppo.clipLow", 2);
    refused("ppo.cliplow", 0.1);
    refused("ppo.sequences", 4);
    refused("sft.learningRate", 1);
    refused("ppo.valueCoef", 1);
    const { curve } = await runPpo({ ppo, world });
    expect(curve.size).toBe(8);
    expect(world.store.messages("command")).toEqual([
      "refused: ppo.clipLow: expected a number from 0 to 1, found 2.",
      "refused: ppo.cliplow cannot be changed while ppo runs. Did you mean ppo.clipLow?",
      expect.stringMatching(/^refused: ppo.sequences cannot be changed while ppo runs/),
      expect.stringMatching(/^refused: sft.learningRate cannot be changed while ppo runs/),
      expect.stringMatching(/^refused: ppo.valueCoef 1 weighs the value loss on a shared trunk/),
    ]);
  });

  it("pause until told to go on; save; stop", async () => {
    const world = newWorld();
    const give = () => {
      world.store.command("save");
      world.store.command("pause");
      setTimeout(() => world.store.command("resume"), 50);
      setTimeout(() => world.store.command("stop", {}, "enough"), 50);
    };
    const context = commanded(2, give);
    await expect(runPpo({ ppo: { ...ppo, checkpointEvery: 0 }, world, context })).rejects.toThrow(
      /stopped by a command/,
    );
    expect(world.store.states).toEqual(["paused", "running"]);
    expect(world.store.messages("command").slice(-4)).toEqual([
      "told to save",
      "told to pause",
      "told to resume",
      "told to stop (enough)",
    ]);
    expect(existsSync(join(world.folder, "ppo", "checkpoint-000002"))).toBe(true);
    expect(world.store.curve("ppo").size).toBe(2);
    const { curve } = await runPpo({ ppo, world, context: { resume: true } });
    expect(curve.size).toBe(8);
  });
});

describe("a damaged checkpoint", () => {
  const checkpoint = (world: World, step: number, ...path: string[]) =>
    join(world.folder, "ppo", `checkpoint-00000${step}`, ...path);

  it.each<[string, (world: World) => void, RegExp]>([
    [
      "truncated",
      (world) => truncateSync(checkpoint(world, 6, "policy", "model.safetensors"), 10),
      /has 10 bytes where/,
    ],
    ["longer", (world) => appendFileSync(checkpoint(world, 6, "critic", "optimizer.safetensors"), "x"), /bytes where/],
    [
      "changed",
      (world) => {
        const path = checkpoint(world, 6, "state.json");
        writeFileSync(path, readFileSync(path, "utf8").replace('"step": 6', '"step": 7'));
      },
      /state\.json has other contents than were written/,
    ],
    [
      "without its manifest",
      (world) => truncateSync(checkpoint(world, 6, "manifest.json"), 3),
      /manifest\.json cannot be read/,
    ],
  ])("%s is told, and the one before it used", async (_, damage, message) => {
    const whole = await runPpo({ ppo });
    const world = newWorld();
    await expect(killedRun(world, 228)).resolves.toBe(true);
    expect(existsSync(checkpoint(world, 6))).toBe(true);
    damage(world);
    const { weights } = await runPpo({ ppo, world, context: { resume: true } });
    const [warning] = world.store.messages("warning");
    expect(warning).toMatch(message);
    expect(warning).toMatch(/Going on from .*checkpoint-000003 instead/);
    expect(weights).toBe(whole.weights);
  });

  it("of version 0.1, which held less, goes on as ever", async () => {
    const whole = await runPpo({ ppo });
    const world = newWorld();
    await killedRun(world, 228);
    const [old, place] = [checkpoint(world, 6), join(world.folder, "old")];
    renameSync(old, place);
    const { format, stage, step, attempt, changes, values, own } = fromJson(
      readFileSync(join(place, "state.json"), "utf8"),
    ) as TrainerState<OnlineState>;
    const { klCoef, skippedInARow, history, frozen, rewardHash } = own;
    const state = {
      ...{ format, stage, step, attempt, changes, values },
      own: { klCoef, skippedInARow, history, frozen, rewardHash },
    };
    const write = async (to: string) => {
      for (const model of ["policy", "critic"]) cpSync(join(place, model), join(to, model), { recursive: true });
    };
    await writeFolder({ folder: old, state, write });
    const { weights } = await runPpo({ ppo, world, context: { resume: true } });
    expect(weights).toBe(whole.weights);
    expect(world.store.messages("warning")).toEqual([]);
  });

  it("that is the last one stops the run", async () => {
    const world = newWorld();
    await killedRun(world, 228);
    for (const step of [0, 3, 6]) truncateSync(checkpoint(world, step, "policy", "model.safetensors"), 10);
    await expect(runPpo({ ppo, world, context: { resume: true } })).rejects.toThrow(/no checkpoint of ppo can be used/);
  });
});

describe("a full disk", () => {
  const fullFrom = (save: number) => (engine: BigramEngine) => {
    let saves = 0;
    engine.before = (verb) => {
      if (verb === "saveModel" && ++saves >= save) throw new Error("ENOSPC: no space left on device, write");
    };
  };

  it("while saving: a warning, the old checkpoint stays, training goes on; at the end it is an error", async () => {
    const world = newWorld();
    await expect(runPpo({ ppo, world, prepare: fullFrom(5) })).rejects.toThrow(
      /could not save the result of ppo: ENOSPC/,
    );
    expect(world.store.messages("warning")[0]).toMatch(
      /could not save the state of ppo 6: ENOSPC.*checkpoint-000003 is still there/,
    );
    expect(world.store.curve("ppo").size).toBe(8);
    expect(readdirSync(join(world.folder, "ppo"))).toEqual(["checkpoint-000000", "checkpoint-000003"]);
    const whole = await runPpo({ ppo });
    const { weights } = await runPpo({ ppo, world, context: { resume: true } });
    expect(weights).toBe(whole.weights);
  });

  it("when interrupted says that nothing could be saved", async () => {
    const world = newWorld();
    let asked = 0;
    const context = { interrupted: () => ++asked > 20 };
    await expect(runPpo({ ppo, world, prepare: fullFrom(1), context })).rejects.toThrow(
      /interrupted in ppo .* its state could not be saved. There is no older checkpoint/,
    );
  });
});

describe("what must not change", () => {
  it("is a user's reward function, unless told otherwise", async () => {
    const world = newWorld();
    await killedRun(world, 145, { hash: "one" });
    const other = { ppo, world, hash: "two", context: { resume: true } };
    await expect(runPpo(other)).rejects.toThrow(/code of a reward function has changed/);
    const { curve } = await runPpo({ ...other, ppo: { ...ppo, allowChangedReward: true } });
    expect(curve.size).toBe(8);
  });

  it("is the reference", async () => {
    const world = newWorld();
    let asked = 0;
    await runPpo({ ppo, world, context: { interrupted: () => ++asked > 20 } }).catch(() => {});
    const other = { ppo, world, start: 2, context: { resume: true } };
    await expect(runPpo(other)).rejects.toThrow(/the reference in .* is not the one that the run began with/);
  });

  it("is none if the stage had not begun: it begins", async () => {
    const { world } = await runPpo({ ppo, context: { resume: true } });
    expect(world.store.messages("resumed")).toEqual([]);
    expect(world.store.messages("stage_started")).toEqual(["ppo: 8 iterations"]);
  });

  it("is a folder that is not to be resumed", async () => {
    const world = newWorld();
    await killedRun(world, 145);
    await expect(runPpo({ ppo, world })).rejects.toThrow(/holds a checkpoint of an earlier run/);
  });
});

it("scores are asked for again if a reward failed", async () => {
  const whole = await runPpo({ ppo });
  const world = newWorld();
  let calls = 0;
  const failing = (row: Parameters<typeof wantsA>[0]) => (++calls === 30 ? Number.NaN : wantsA(row));
  await expect(runPpo({ ppo, world, score: failing })).rejects.toThrow(/not finite/);
  const { weights } = await runPpo({ ppo, world, context: { resume: true } });
  expect(weights).toBe(whole.weights);
});
