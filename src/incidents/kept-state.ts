/** The state before an iteration, kept in memory: an incident in its update shows it, and can go back to it. */
import type { ModelId } from "../engine/engine.ts";
import type { SavedModels } from "../trainer/checkpoint.ts";
import { trainedModels } from "../trainer/online-models.ts";
import type { OnlineRun } from "../trainer/online-run.ts";
import type { OnlineState } from "../trainer/online-state.ts";

/** A state as a checkpoint holds it, but in memory. */
export interface Kept {
  readonly own: OnlineState;
  readonly models: SavedModels;
}

/** Keeps the state before an iteration, replacing the one kept earlier, so that an incident in its update can show it and go back to it. */
export async function keepBefore(
  { context, models, state, control }: Pick<OnlineRun, "context" | "models" | "state" | "control">,
  last: Kept | null,
): Promise<Kept> {
  const { engine, config } = context;
  const own = structuredClone({ ...state, control: control.state });
  const trained = trainedModels(models);
  if (config.control.interventions === "off") return { own, models: trained };
  const kept: Record<string, ModelId> = {};
  for (const [name, id] of Object.entries(trained)) {
    const into = last?.models[name as keyof SavedModels];
    kept[name] = (await engine.cloneModel(id, { optimizer: true, ...(into && { into }) })).id;
  }
  return { own, models: kept };
}

/** Releases all models of a run. */
export async function closeModels({ context, models }: Pick<OnlineRun, "context" | "models">, last: Kept | null) {
  const ids = new Set([
    ...Object.values(trainedModels(models)),
    models.reference,
    ...Object.values(last?.models ?? {}),
  ]);
  for (const id of ids) await context.engine.disposeModel(id);
}
