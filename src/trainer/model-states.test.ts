/** A run on an engine that keeps its models' states under URIs: the toy engine, with a memory that outlives its process. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { BigramEngine } from "../../test/support/bigram-engine.ts";
import { killedAt, wasKilled } from "../../test/support/killed.ts";
import { type PpoRun, runPpo } from "../../test/support/run-ppo.ts";
import { newWorld, openContext, sizes, startFolder, temporaryFolder } from "../../test/support/stage.ts";
import { EngineError } from "../util/errors.ts";
import { saveModelFolder, stateOf } from "./model-folder.ts";
import { openModel } from "./stage-models.ts";

const ppo = { iterations: 5, checkpointEvery: 2, slowCritic: { decay: 0.9 }, schedule: "cosine" };

/** An engine's memory with a starting model, whose weights are those of `startFolder`. */
async function memory() {
  const states = new Map<string, string>();
  const engine = Object.assign(new BigramEngine(), { states });
  const { id } = await engine.loadModel(await startFolder(newWorld()));
  return { states, start: await engine.saveModel(id, temporaryFolder()) };
}

it("a run from a URI, killed and resumed from the URIs of its checkpoints, has the bits of one on folders", async () => {
  const onFolders = await runPpo({ ppo });
  const { states, start } = await memory();
  const world = newWorld();
  const loads: unknown[] = [];
  const options = (kill?: number): PpoRun => ({
    ...{ ppo, world, state: start, context: { resume: true } },
    prepare(engine) {
      engine.states = states;
      if (kill !== undefined) return killedAt(kill)(engine);
      engine.before = (verb, [state]) => void (verb === "loadModel" && loads.push(state));
    },
  });
  let kills = 0;
  while (!existsSync(join(world.folder, "ppo", "checkpoint-000002"))) {
    expect(await wasKilled(runPpo(options(60 + 10 * kills++)))).toBe(true);
  }
  const { weights, curve, result } = await runPpo(options());
  expect(weights).toBe(onFolders.weights);
  expect([...curve]).toEqual([...onFolders.curve]);
  expect(loads).toHaveLength(4);
  expect(loads.every((state) => states.has(state as string))).toBe(true);
  expect(new Set(loads).size).toBe(4);
  expect([stateOf(result.folder), existsSync(join(result.folder, "model.safetensors"))]).toEqual([
    [...states.keys()].at(-1),
    false,
  ]);
  // The reference is held by its URI.
  states.set("toy://copy", states.get(start)!);
  await expect(runPpo({ ...options(), ppo: { ...ppo, iterations: 6 }, state: "toy://copy" })).rejects.toThrow(
    "the reference in toy://copy is not the one that the run began with",
  );
});

it("a stage with one model opens its checkpoint from the URI that it kept", async () => {
  const { states, start } = await memory();
  const context = openContext(newWorld(), "sft", {});
  context.engine.states = states;
  const { engine, tokenizer } = context;
  const { id: model } = await engine.createModel({ config: sizes, heads: ["lm"], seed: 3 });
  const folder = temporaryFolder();
  const place = join(folder, "model");
  mkdirSync(place);
  await saveModelFolder({ engine, tokenizer, model, folder: place, optimizer: true });
  const options = { source: { folder: start }, head: "lm", scalarInit: "zero" } as const;
  const checkpoint = { folder, state: {} as never };
  for (const [opened, expected] of [
    [await openModel(context, { ...options, checkpoint }), stateOf(place)],
    [await openModel(context, { ...options, checkpoint: null }), start],
  ] as const)
    expect(engine.models.get(opened.id)!.weights).toEqual(engine.file(expected, "model.safetensors"));
});

it("an engine may not save a model in a folder of its own choice", async () => {
  const { engine, tokenizer } = openContext(newWorld(), "sft", {});
  const { id: model } = await engine.createModel({ config: sizes, heads: ["lm"], seed: 3 });
  engine.saveModel = async () => "elsewhere";
  const saving = saveModelFolder({ engine, tokenizer, model, folder: temporaryFolder() });
  await expect(saving).rejects.toThrow(EngineError);
});
