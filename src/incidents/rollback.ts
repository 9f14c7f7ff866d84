/** Rolling back to an older checkpoint: requested in a small file, carried out when the stage is next opened. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkpointName, checkpointSteps } from "../config/checkpoint-names.ts";
import type { Change } from "../config/live-changes.ts";
import { writeDurably } from "../util/durable.ts";
import { CheckpointError } from "../util/errors.ts";
import { readOwnJson } from "../util/json-values.ts";
import { rename } from "../util/platform.ts";

export interface Rollback {
  /** Iterations done at the target checkpoint. */
  readonly to: number;
  /** The iteration in which the rollback was decided. */
  readonly from: number;
  /** The rule that stopped the run or requested the rollback: it is then silent for its cool-down. */
  readonly rule: string;
  readonly incident: number | null;
  /** Changes made by a rule's action; an operator's changes come as commands. */
  readonly changes: readonly Change[];
  /** The attempt that carried it out; null until then. Random streams continue from (seed, attempt): the same ones would lead to the same place. */
  readonly attempt: number | null;
}

const file = (folder: string) => join(folder, "rollback.json");

/** Requests a rollback of the stage in this folder. Throws CheckpointError if that checkpoint is gone. */
export function requestRollback(folder: string, rollback: Omit<Rollback, "attempt">): void {
  if (!existsSync(join(folder, checkpointName(rollback.to))))
    throw new CheckpointError(
      `${join(folder, checkpointName(rollback.to))} is gone: there is nothing to roll back to`,
      "Choose another checkpoint of that folder.",
    );
  write(folder, { ...rollback, attempt: null });
}

/** Moves the checkpoints that a rollback abandons out of the way, once. Returns the newest rollback of the stage, or null. */
export async function carryOutRollback(folder: string, attempt: number): Promise<Rollback | null> {
  if (!existsSync(file(folder))) return null;
  const asked = readOwnJson(file(folder), {
    remedy: "Restore it from a copy. Without one, delete it: the run continues from its newest checkpoint.",
  }) as Rollback;
  if (asked.attempt !== null) return asked;
  for (const name of checkpointSteps(folder)
    .filter((step) => step > asked.to)
    .map(checkpointName))
    rename(join(folder, name), join(folder, `abandoned-${attempt}-${name}`));
  const done = { ...asked, attempt };
  write(folder, done);
  return done;
}

function write(folder: string, rollback: Rollback): void {
  writeDurably(file(folder), `${JSON.stringify(rollback, null, 2)}\n`);
}
