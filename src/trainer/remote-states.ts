/** States of models that an engine keeps elsewhere, as a server does: deleted when no folder names them any longer. */
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ModelReference } from "../engine/engine.ts";
import { schemeOf } from "../settings/model-reference.ts";
import { stages } from "../types/records.ts";
import { EngineError } from "../util/errors.ts";
import { stateOf, statesIn } from "./model-folder.ts";
import type { StageContext } from "./stage-context.ts";

type Place = Pick<StageContext, "engine" | "folder" | "config">;

/** Deletes states, except those that a folder of the workspace's runs names (a fork's checkpoint, a result), and the one that the run was given to start from. */
export async function deleteStates(
  { engine, folder, config }: Place,
  states: readonly ModelReference[],
): Promise<void> {
  const elsewhere = states.filter((state) => schemeOf(state) !== null);
  if (elsewhere.length === 0) return;
  const workspace = dirname(dirname(folder));
  const folders = readdirSync(workspace).flatMap((run) => stages.map((stage) => join(workspace, run, stage)));
  const named = new Set(folders.flatMap((one) => statesIn(one, { depth: 2 })));
  const start = config.ppo?.policy;
  if (start !== undefined) named.add(stateOf(start));
  for (const state of new Set(elsewhere)) if (!named.has(state)) await engine.deleteState?.(state);
}

/** Does work that has the engine save states and tells each; if it fails here, on a full disk say, nothing will name them: they are deleted. */
export async function orDeleted(
  place: Place,
  work: (onSaved: (state: ModelReference) => void) => Promise<void>,
): Promise<void> {
  const saved: ModelReference[] = [];
  try {
    await work((state) => saved.push(state));
  } catch (error) {
    // An engine that has failed is not asked for more.
    if (!(error instanceof EngineError)) await deleteStates(place, saved);
    throw error;
  }
}
