/** What an engine keeps elsewhere goes with the folder that names it, also when writing fails or the process is killed; what others name stays. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { newWorld, openContext, sizes, type World } from "../../test/support/stage.ts";
import { openCheckpoint, saveCheckpoint, type TrainerState } from "./checkpoint.ts";
import { saveFinal } from "./final.ts";

/** A stage of a run in a workspace of its own, on an engine that keeps its states elsewhere. */
function opened({ full = false, ppo = {} }: { full?: boolean; ppo?: object } = {}) {
  const root = newWorld();
  const world: World = { ...root, folder: join(root.folder, "run-1") };
  const context = openContext(world, "ppo", { ppo });
  const states = new Map<string, string>();
  context.engine.states = states;
  Object.assign(context.engine, { deleteState: async (state: string) => void states.delete(state) });
  mkdirSync(context.folder, { recursive: true });
  const failing = () => {
    throw new Error("ENOSPC: no space left on device");
  };
  return { context: full ? { ...context, tokenizer: { ...context.tokenizer, save: failing } } : context, states };
}

/** A folder that names a state, as a checkpoint's model or a result does. */
function naming(folder: string, reference: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "model-reference.json"), JSON.stringify({ reference }));
  return folder;
}

const state = { step: 1, healthy: [], evidence: [] } as unknown as TrainerState<object>;

test("a checkpoint or a result that cannot be written leaves no state behind", async () => {
  const { context, states } = opened({ full: true });
  const { id } = await context.engine.createModel({ config: sizes, heads: ["lm"], seed: 1 });
  const models = { policy: id };
  const saving = saveCheckpoint(context, { state, models, keep: 2, onWritten: () => {} });
  await expect(saving).rejects.toThrow("ENOSPC");
  await expect(saveFinal(context, { model: id, heads: ["lm"], steps: 1, values: {} })).rejects.toThrow("ENOSPC");
  expect([readdirSync(context.folder), [...states.keys()]]).toEqual([[], []]);
});

test("after a kill, the states of half written folders go; those of a fork, of SFT's result and of the given start stay", async () => {
  const { context, states } = opened({ ppo: { policy: "toy://start" } });
  for (const name of ["killed", "start", "forked", "sft"]) states.set(`toy://${name}`, "");
  const workspace = dirname(dirname(context.folder));
  naming(join(context.folder, ".checkpoint-000002.new", "policy"), "toy://killed");
  naming(join(context.folder, ".checkpoint-000001.old", "policy"), "toy://start");
  naming(join(context.folder, ".checkpoint-000003.new", "policy"), "toy://forked");
  naming(join(context.folder, ".final.new"), "toy://sft");
  naming(join(workspace, "fork-1", "ppo", "checkpoint-000003", "policy"), "toy://forked");
  naming(join(workspace, "run-1", "sft", "final"), "toy://sft");
  expect(await openCheckpoint(context)).toBe(null);
  expect([...states.keys()]).toEqual(["toy://start", "toy://forked", "toy://sft"]);
});
