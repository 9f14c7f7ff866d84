/** The result of a finished stage: `final`, a Hugging Face folder with the trainer's summary beside the model. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { lengthOf } from "../config/extend.ts";
import { otherOrigin, type RunOrigin } from "../config/run-manifest.ts";
import { engineOfRole } from "../engine/capabilities.ts";
import type { HeadKind, ModelId } from "../engine/engine.ts";
import type { Config } from "../settings/config-schema.ts";
import type { MetricValues } from "../types/records.ts";
import { CheckpointError, messageOf } from "../util/errors.ts";
import { remedyFor } from "../util/system-faults.ts";
import { readFolder, writeFolder } from "./atomic-folder.ts";
import { saveModelFolder } from "./model-folder.ts";
import { orDeleted } from "./remote-states.ts";
import type { StageResult } from "./run-types.ts";
import type { StageContext } from "./stage-context.ts";

export interface FinalRequest {
  readonly model: ModelId;
  /** The heads of the result: a policy has a language head, a reward model a scalar one. */
  readonly heads: readonly HeadKind[];
  readonly steps: number;
  readonly values: MetricValues;
  /** Merge an adapter into the weights, if the engine can: what later stages stand on is a whole model. */
  readonly merge?: boolean;
  /** Writes more files into the folder, flushed to disk. */
  readonly extra?: (folder: string) => void;
}

/** Saves the result. Throws CheckpointError if the folder cannot be written: the run can continue from the stage's last checkpoint. */
export async function saveFinal(context: StageContext, request: FinalRequest): Promise<StageResult> {
  const { engine, tokenizer, recorder, stage, origin } = context;
  const { model, heads, steps, values, extra, merge = false } = request;
  const folder = join(context.folder, "final");
  const result: StageResult = { stage, folder, steps, values };
  const { capabilities } = engineOfRole(await engine.info(), stage === "reward" ? "reward" : "policy");
  await orDeleted(context, async (onSaved) => {
    const published = await engine.cloneModel(model, { heads, merge: merge && capabilities.merge });
    try {
      await writeFolder({
        folder,
        head: recorder.head(),
        state: { format: 1, stage, steps, of: lengthOf(context.config, stage), values, origin },
        write: async (temporary) => {
          await saveModelFolder({ engine, tokenizer, model: published.id, folder: temporary, onSaved });
          extra?.(temporary);
        },
        // Before the folder has its name: a kill after that would leave a finished stage without a record of it.
        onWritten: () => {
          recorder.event({ kind: "stage_finished", stage, iteration: steps, message: `${stage} is done: ${folder}` });
          recorder.commit({ flush: true });
        },
      });
    } catch (error) {
      throw new CheckpointError(
        `could not save the result of ${stage}: ${messageOf(error)}`,
        `${remedyFor(error) ?? "Check the disk."} Then continue: ballast resume RUN`,
        { cause: error },
      );
    } finally {
      await engine.disposeModel(published.id);
    }
  });
  return result;
}

/**
 * The result that an earlier attempt left of a stage; null if it is not done. Throws CheckpointError if the folder is damaged, or belongs to a
 * different run.
 */
export async function readFinal(stageFolder: string, expected: RunOrigin | null): Promise<StageResult | null> {
  const folder = join(stageFolder, "final");
  if (!existsSync(folder)) return null;
  const { stage, steps, of, values, origin } = (await readFolder(folder)) as Omit<StageResult, "folder"> & {
    readonly origin?: RunOrigin;
  };
  const other = origin && expected && otherOrigin(origin, expected);
  if (other)
    throw new CheckpointError(`${folder} is not of this run: ${other}`, `Move it away, and put back what was there.`);
  return { stage, folder, steps, ...(of !== undefined && { of }), values };
}

/** Whether a finished stage has been made longer since. Versions before 0.4 did not record its length. */
export function isOutgrown({ stage, of = Number.POSITIVE_INFINITY }: StageResult, config: Config): boolean {
  return lengthOf(config, stage) > of;
}
