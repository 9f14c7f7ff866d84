/** The models of a chat: by words for those of a run, or by name. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkpointName, checkpointSteps } from "../../../config/checkpoint-names.ts";
import { configOf, findRun, type RunPlace } from "../../../inspect/places.ts";
import { verifyFolder } from "../../../trainer/atomic-folder.ts";
import { startingPolicy } from "../../../trainer/evaluate-run.ts";
import { UsageError } from "../../../util/errors.ts";
import { findModel } from "../../find-model.ts";

export interface ChatModel {
  /** How the chat names it. */
  readonly name: string;
  readonly folder: string;
}

/** Most models that answer side by side. */
const mostModels = 2;

/**
 * The models with which to chat. `before`, `after` and a number mean those of the run: its policy before and after PPO, and after that many iterations;
 * any other name is a model's folder or a run.
 * @throws UsageError if there is no such model, or more than two are named
 */
export async function chatModels(
  target: string,
  names: readonly string[],
  workspace: string,
): Promise<readonly ChatModel[]> {
  if (names.length > mostModels)
    throw new UsageError(`${names.length} models at once; at most ${mostModels} answer side by side`, "Name two.");
  if (names.length === 0) return [{ name: target, folder: await findModel(target, workspace) }];
  const models: ChatModel[] = [];
  for (const name of names) {
    const folder = /^(before|after|\d+)$/.test(name) ? ofRun(findRun(target, workspace), name) : null;
    if (folder !== null) await verifyFolder(folder);
    models.push({ name, folder: folder ?? (await findModel(name === "after" ? target : name, workspace)) });
  }
  return models;
}

/** The folder of a run's model; null for `after`, which is the run's last language model. */
function ofRun(place: RunPlace, name: string): string | null {
  const { id, folder } = place;
  if (name === "after") return null;
  if (name === "before") {
    const start = startingPolicy(configOf(place), folder);
    if (existsSync(start)) return start;
    throw new UsageError(`run ${id} has no policy from before PPO in ${start}`, "Name a model's folder.");
  }
  const stage = join(folder, "ppo");
  const checkpoint = join(stage, checkpointName(Number(name)));
  for (const model of ["policy", "model"]) if (existsSync(join(checkpoint, model))) return join(checkpoint, model);
  const there = checkpointSteps(stage);
  throw new UsageError(
    `run ${id} has no checkpoint of ${name} iterations`,
    there.length === 0 ? "It kept none." : `There are: ${there.join(", ")}.`,
  );
}
