/** The models of a workspace: final models and checkpoints of its runs, and folders of models beside them. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { stateOf } from "../../../trainer/model-folder.ts";
import { hasWeights, isAdapterFolder } from "../../../util/weight-files.ts";
import { shortPath } from "../../short-path.ts";

const mostModels = 500;

/** Folders of language models: of each run the result, then its checkpoints, newest first; then other folders in the workspace. */
export function modelFolders(workspace: string): string[] {
  if (!existsSync(workspace)) return [];
  const folders = readdirSync(workspace, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const found = folders.flatMap(({ name }) => {
    const folder = join(workspace, name);
    if (isModel(folder)) return [folder];
    return ["ppo", "sft"].flatMap((stage) => modelsOfStage(join(folder, stage)));
  });
  return found.slice(0, mostModels).map((folder) => shortPath(folder));
}

function modelsOfStage(stage: string): string[] {
  if (!existsSync(stage)) return [];
  const checkpoints = readdirSync(stage)
    .filter((name) => name.startsWith("checkpoint-"))
    .sort()
    .reverse()
    .flatMap((name) => [join(stage, name, "policy"), join(stage, name, "model"), join(stage, name)]);
  return [join(stage, "final"), ...checkpoints].filter(isModel);
}

function isModel(folder: string): boolean {
  return existsSync(folder) && (hasWeights(folder) || isAdapterFolder(folder) || stateOf(folder) !== folder);
}
