/** The models of a workspace: final models and checkpoints of its runs, and folders of models beside them. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { checkpointName, checkpointSteps } from "../../../config/checkpoint-names.ts";
import { stateOf } from "../../../trainer/model-folder.ts";
import type { WorkspaceModel } from "../../../types/playground-page.ts";
import { hasWeights, isAdapterFolder } from "../../../util/weight-files.ts";
import { shortPath } from "../../short-path.ts";

/** Language models: of each run the result, then its checkpoints, newest first; then other folders in the workspace. */
export function modelFolders(workspace: string): WorkspaceModel[] {
  if (!existsSync(workspace)) return [];
  const names = readdirSync(workspace, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const runs = names.filter(
    (name) => existsSync(join(workspace, name, "config.json")) && !isModel(join(workspace, name)),
  );
  const others = names.filter((name) => !runs.includes(name) && isModel(join(workspace, name)));
  return [
    ...runs.flatMap((run) => (["ppo", "sft"] as const).flatMap((stage) => modelsOf(workspace, run, stage))),
    ...others.map((name) => ({ path: shortPath(join(workspace, name)), run: null, stage: null, step: null })),
  ];
}

function modelsOf(workspace: string, run: string, stage: "ppo" | "sft"): WorkspaceModel[] {
  const folder = join(workspace, run, stage);
  if (!existsSync(folder)) return [];
  const at = (path: string, step: number | null) =>
    isModel(path) ? [{ path: shortPath(path), run, stage, step }] : [];
  const checkpoints = checkpointSteps(folder).reverse();
  return [
    ...at(join(folder, "final"), null),
    ...checkpoints.flatMap((step) =>
      ["policy", "model"].flatMap((name) => at(join(folder, checkpointName(step), name), step)),
    ),
  ];
}

function isModel(folder: string): boolean {
  return existsSync(folder) && (hasWeights(folder) || isAdapterFolder(folder) || stateOf(folder) !== folder);
}
