/** The model that a user names: by its folder, or by the run that made it. */
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { runOrigin } from "../config/run-manifest.ts";
import { onDisk } from "../hub/index.ts";
import { findRun } from "../inspect/places.ts";
import { verifyFolder } from "../trainer/atomic-folder.ts";
import { readFinal } from "../trainer/final.ts";
import { stateOf } from "../trainer/model-folder.ts";
import { CheckpointError } from "../util/errors.ts";
import { isAdapterFolder, isModelFolder, weightFilesIn } from "../util/weight-files.ts";
import { resumeCommand } from "./find-run.ts";

/**
 * The model's folder: the given one, or the last language model of the given run.
 * @throws CheckpointError if it has no weights that Ballast reads, or Ballast wrote it and it was changed since, or it belongs to a different run; UsageError if there is no such model or run
 */
export async function findModel(model: string, workspace: string): Promise<string> {
  const folder = folderOf(onDisk(model), workspace);
  // Before the tokenizer is looked for: a folder of GGUF has none, either.
  if (stateOf(folder) === folder && !isAdapterFolder(folder)) weightFilesIn(folder);
  await checkFolder(folder);
  return folder;
}

function folderOf(model: string, workspace: string): string {
  for (const folder of [model, join(model, "final")])
    if (isModelFolder(folder) || stateOf(folder) !== folder) return folder;
  const place = findRun(model, workspace, { what: "model or run" });
  const { id, folder: run } = place;
  for (const stage of ["ppo", "sft"]) {
    const folder = join(run, stage, "final");
    if (existsSync(folder)) return folder;
  }
  throw new CheckpointError(
    `run ${id} has not finished a stage that makes a language model`,
    `Continue it first: ${resumeCommand(place)}`,
  );
}

/** Throws CheckpointError if the folder is damaged, or is a stage's result in a run's folder and belongs to a different run. */
async function checkFolder(folder: string): Promise<void> {
  const path = resolve(folder);
  const stage = dirname(path);
  const origin = basename(path) === "final" ? runOrigin(dirname(stage)) : null;
  if (origin === null) await verifyFolder(folder);
  else await readFinal(stage, origin);
}
