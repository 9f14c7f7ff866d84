/** How the checkpoints in a stage's folder are named: by the steps done. */
import { existsSync, readdirSync } from "node:fs";

/** The folder name of a checkpoint after this many steps. */
export function checkpointName(step: number): string {
  return `checkpoint-${String(step).padStart(6, "0")}`;
}

/** The steps done at each checkpoint in a stage's folder, oldest first; none if there is no such folder. */
export function checkpointSteps(folder: string): number[] {
  return (existsSync(folder) ? readdirSync(folder) : [])
    .flatMap((name) => /^checkpoint-(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}
