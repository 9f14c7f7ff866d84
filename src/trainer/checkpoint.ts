/** A stage's checkpoints: models with their optimizers as Hugging Face folders, beside the trainer's own state. */
import { existsSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Change } from "../config/live-changes.ts";
import { otherOrigin, type RunOrigin } from "../config/run-manifest.ts";
import type { ModelId } from "../engine/engine.ts";
import type { MetricValues, Stage } from "../types/records.ts";
import { CheckpointError, messageOf } from "../util/errors.ts";
import { readFolder, removeFolder, removeTemporary, writeFolder } from "./atomic-folder.ts";
import type { Best } from "./keep-best.ts";
import { saveModelFolder } from "./model-folder.ts";
import type { StageContext } from "./stage-context.ts";

/**
 * All that a stage needs beside its models to go on as if nothing had happened. Random streams and the position in the
 * data are functions of (seed, purpose, step), and the schedule of the step, so that `step` stands for all three.
 */
export interface TrainerState<Own> {
  readonly format: 1;
  readonly stage: Stage;
  /** Steps (iterations) done; the metrics of those, and of no later one, are recorded. */
  readonly step: number;
  /** How many the stage was to have then; a version before 0.4 did not say. */
  readonly of?: number;
  /** Attempt that saved it. */
  readonly attempt: number;
  /** Settings changed by people so far, oldest first. */
  readonly changes: readonly AppliedChange[];
  /** Metrics of the last step. */
  readonly values: MetricValues;
  /** Steps of the newest checkpoints that a rollback may go back to, oldest first. */
  readonly healthy: readonly number[];
  /** Steps of checkpoints that are evidence of an incident. */
  readonly evidence: readonly number[];
  /** Which checkpoint is the best so far, where `keep` asks for it. */
  readonly best: Best;
  /** The run that saved it; a version before 0.4 did not say. */
  readonly origin?: RunOrigin;
  /** What the stage itself carries from step to step. */
  readonly own: Own;
}

/** A change with the command that asked for it and the value it replaced. */
export interface AppliedChange extends Change {
  /** null where a rollback made it. */
  readonly command: number | null;
  readonly before: Change["value"];
}

export interface Checkpoint<Own> {
  readonly folder: string;
  readonly state: TrainerState<Own>;
}

/** Models by the name of their folder in a checkpoint. */
export type SavedModels = Readonly<Record<string, ModelId>>;

const namePattern = /^checkpoint-(\d+)$/;

/** Writes `checkpoint-000050` (50 steps done), then prunes all but the newest `keep` and those that its state names. Throws what writing throws. */
export async function saveCheckpoint<Own>(
  context: StageContext,
  {
    state,
    models,
    keep,
    onWritten,
  }: { state: TrainerState<Own>; models: SavedModels; keep: number | "best"; onWritten: (folder: string) => void },
): Promise<string> {
  const { engine, tokenizer } = context;
  const folder = join(context.folder, checkpointName(state.step));
  await writeFolder({
    folder,
    state,
    onWritten: () => onWritten(folder),
    write: async (temporary) => {
      for (const [name, model] of Object.entries(models)) {
        const place = join(temporary, name);
        await mkdir(place);
        await saveModelFolder({ engine, tokenizer, model, folder: place, optimizer: true });
      }
    },
  });
  const best = keep === "best" ? state.best.checkpoint : null;
  const pinned = [...state.healthy, ...state.evidence, ...(best ? [best.step] : [])];
  for (const { folder: old, step } of (await checkpointsIn(context.folder)).slice(keep === "best" ? 1 : keep))
    if (!pinned.includes(step)) await removeFolder(old);
  return folder;
}

/**
 * The newest checkpoint that is whole. Damaged ones that are newer are passed over with a warning; where only damaged
 * ones are left, or where the newest is of another run or newer than the record, that is a CheckpointError. null where there
 * is none at all.
 */
export async function openCheckpoint<Own>(context: StageContext): Promise<Checkpoint<Own> | null> {
  await removeTemporary(context.folder);
  const damaged: string[] = [];
  for (const { folder, step } of await checkpointsIn(context.folder)) {
    try {
      const state = (await readFolder(folder)) as TrainerState<Own>;
      checkOrigin(folder, state.origin, context.origin);
      checkRecorded(context, { folder, step });
      if (damaged.length > 0) {
        const message = `${damaged.join("; ")}. Going on from ${folder} instead`;
        const { stage, recorder } = context;
        recorder.event({ kind: "warning", stage, iteration: step, message, data: { damaged, used: folder } });
      }
      return { folder, state };
    } catch (error) {
      if (!(error instanceof CheckpointError) || error instanceof ForeignCheckpoint) throw error;
      damaged.push(messageOf(error));
    }
  }
  if (damaged.length === 0) return null;
  throw new CheckpointError(
    `no checkpoint of ${context.stage} can be used: ${damaged.join("; ")}`,
    `Move ${context.folder} away to start the stage over.`,
  );
}

/** Not passed over like a damaged one: it is whole, and whoever put it there must know. */
class ForeignCheckpoint extends CheckpointError {}

function checkOrigin(folder: string, found: RunOrigin | undefined, expected: RunOrigin | undefined): void {
  const other = found && expected && otherOrigin(found, expected);
  if (!other) return;
  const remedy = "Move the folder away, or put back the run's own files.";
  throw new ForeignCheckpoint(`${folder} cannot be gone on from: ${other}`, remedy);
}

/**
 * Throws CheckpointError where the record ends before what a folder has behind it: the records of a step are on the disk
 * before its checkpoint is, so that only an older copy of the database, or rows that were deleted, can be behind.
 */
export function checkRecorded(
  { stage, recorder, resume }: Pick<StageContext, "stage" | "recorder" | "resume">,
  { folder, step }: { readonly folder: string; readonly step: number },
): void {
  if (!resume || step === 0) return;
  const last = step - 1;
  if (recorder.recent(stage, { upTo: last, iterations: 1 }).iterations.some(({ iteration }) => iteration === last))
    return;
  throw new ForeignCheckpoint(
    `the database has nothing of ${stage} ${last}, and ${folder} has it behind it: the database is older than the run's folder, or has lost rows`,
    "Put the newer database back. Without one, move newer checkpoints and final folders away: the run goes on from the newest that the database knows.",
  );
}

/** Newest first. */
async function checkpointsIn(folder: string): Promise<{ folder: string; step: number }[]> {
  if (!existsSync(folder)) return [];
  return (await readdir(folder))
    .map((name) => ({ folder: join(folder, name), step: Number(namePattern.exec(name)?.[1] ?? Number.NaN) }))
    .filter(({ step }) => !Number.isNaN(step))
    .sort((a, b) => b.step - a.step);
}

/** The folder's name of a checkpoint of so many steps. */
export function checkpointName(step: number): string {
  return `checkpoint-${String(step).padStart(6, "0")}`;
}
