/** An engine that fails in an iteration: what is saved is the state of that iteration's beginning, or nothing. */
import { readdirSync } from "node:fs";
import { basename } from "node:path";
import { expect, it } from "vitest";
import type { BigramEngine } from "../../test/support/bigram-engine.ts";
import { runPpo } from "../../test/support/run-ppo.ts";
import { newWorld, type World } from "../../test/support/stage.ts";
import { EngineError } from "../util/errors.ts";

const ppo = { iterations: 4, checkpointEvery: 0 };
const checkpoints = (world: World) =>
  readdirSync(world.folder, { recursive: true, encoding: "utf8" })
    .map((path) => basename(path))
    .filter((name) => name.startsWith("checkpoint"));

/** Fails the n-th call of a verb, once. */
function failing(verb: "cloneModel" | "optimStep" | "sample", n: number) {
  return (engine: BigramEngine) => {
    let calls = 0;
    const real = engine[verb].bind(engine) as (...args: unknown[]) => Promise<unknown>;
    const failsOnce = async (...args: unknown[]) => {
      if (++calls === n) throw new EngineError(`${verb} failed`);
      return real(...args);
    };
    Object.assign(engine, { [verb]: failsOnce });
  };
}

it.each([
  // Policy and critic, two epochs of two minibatches: eight steps an iteration.
  ["in the middle of an iteration's steps", "optimStep", 19],
  ["in its rollout", "sample", 3],
] as const)("%s: its beginning is saved, and the resumed run has the rows of an unbroken one", async (_, verb, n) => {
  const world = newWorld();
  await expect(runPpo({ world, ppo, prepare: failing(verb, n) })).rejects.toThrow(`${verb} failed`);
  expect(checkpoints(world)).toEqual(["checkpoint-000000", "checkpoint-000002"]);
  const resumed = await runPpo({ world, ppo, context: { resume: true } });
  const whole = await runPpo({ ppo });
  expect([...resumed.curve]).toEqual([...whole.curve]);
  expect(resumed.weights).toBe(whole.weights);
});

it("while the kept state is replaced, when one model of it is new and one is old: nothing is saved", async () => {
  const world = newWorld();
  // Two copies an iteration: the sixth is the critic's, at the beginning of the third.
  await expect(runPpo({ world, ppo, prepare: failing("cloneModel", 6) })).rejects.toThrow("cloneModel failed");
  expect(checkpoints(world)).toEqual(["checkpoint-000000"]);
});

it("without interventions nothing is kept, so nothing is saved", async () => {
  const world = newWorld();
  const control = { interventions: "off" };
  const failed = runPpo({ world, ppo, control, prepare: failing("optimStep", 19) });
  await expect(failed).rejects.toThrow("optimStep failed");
  expect(checkpoints(world)).toEqual([]);
});
