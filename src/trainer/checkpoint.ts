/** A stage's checkpoints: models with their optimizers as Hugging Face folders, beside the trainer's own state. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { checkpointName, checkpointSteps } from "../config/checkpoint-names.ts";
import type { Change } from "../config/live-changes.ts";
import { otherOrigin, type RunOrigin } from "../config/run-manifest.ts";
import type { ModelId } from "../engine/engine.ts";
import type { MetricValues, Stage } from "../types/records.ts";
import { CheckpointError, messageOf } from "../util/errors.ts";
import { readFolder, removeFolder, removeTemporary, temporariesIn, writeFolder } from "./atomic-folder.ts";
import type { Best } from "./keep-best.ts";
import { saveModelFolder, statesIn } from "./model-folder.ts";
import { deleteStates, orDeleted } from "./remote-states.ts";
import type { StageContext } from "./stage-context.ts";

/**
 * Everything that a stage needs besides its models to continue as if nothing had happened. Random streams and the position in the data are functions
 * of (seed, purpose, step), and the schedule is one of the step, so `step` stands for all three.
 */
export interface TrainerState<Own> {
  readonly format: 1;
  readonly stage: Stage;
  /** Steps (iterations) done; exactly their metrics are recorded. */
  readonly step: number;
  /** The stage's planned length at that time; versions before 0.4 did not record it. */
  readonly of?: number;
  /** The attempt that saved it. */
  readonly attempt: number;
  /** Settings that operators have changed so far, oldest first. */
  readonly changes: readonly AppliedChange[];
  /** Metrics of the last step. */
  readonly values: MetricValues;
  /** Steps of the newest checkpoints to which a rollback may go, oldest first. */
  readonly healthy: readonly number[];
  /** Steps of checkpoints that are evidence of an incident. */
  readonly evidence: readonly number[];
  /** The best checkpoint so far, if `keep` requests it. */
  readonly best: Best;
  /** The run that saved it; versions before 0.4 did not record it. */
  readonly origin?: RunOrigin;
  /** The run that this one was forked from at this step, and the settings that differ from it; absent in checkpoints that the run made itself. */
  readonly forked?: { readonly run: string; readonly changes: readonly (Change & Pick<AppliedChange, "before">)[] };
  /** The stage's own state between steps. */
  readonly own: Own;
}

/** A change with the command that requested it and the value it replaced. */
export interface AppliedChange extends Change {
  /** The command's id; null if a rollback made the change. */
  readonly command: number | null;
  readonly before: Change["value"];
}

export interface Checkpoint<Own> {
  readonly folder: string;
  readonly state: TrainerState<Own>;
}

/** Models by the name of their folder in a checkpoint. */
export type SavedModels = Readonly<Record<string, ModelId>>;

/**
 * Writes `checkpoint-000050` (50 steps done), then prunes all checkpoints except the newest `keep` and those that its state names. Throws what
 * writing throws.
 */
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
  await orDeleted(context, (onSaved) =>
    writeFolder({
      folder,
      state,
      head: context.recorder.head(),
      onWritten: () => onWritten(folder),
      write: async (temporary) => {
        for (const [name, model] of Object.entries(models)) {
          const place = join(temporary, name);
          await mkdir(place);
          await saveModelFolder({ engine, tokenizer, model, folder: place, optimizer: true, onSaved });
        }
      },
    }),
  );
  const best = keep === "best" ? state.best.checkpoint : null;
  const pinned = [...state.healthy, ...state.evidence, ...(best ? [best.step] : [])];
  for (const step of newestFirst(context.folder).slice(keep === "best" ? 1 : keep))
    if (!pinned.includes(step)) await removeCheckpoint(context, join(context.folder, checkpointName(step)));
  return folder;
}

/** Removes a checkpoint, and what its engine keeps elsewhere for it. */
async function removeCheckpoint(context: StageContext, checkpoint: string): Promise<void> {
  const states = statesIn(checkpoint, { depth: 1, unlinked: true });
  await removeFolder(checkpoint);
  await deleteStates(context, states);
}

/**
 * The newest whole checkpoint; null if there are none at all. Newer damaged ones are skipped with a warning. Throws CheckpointError if only damaged
 * ones are left, or if the newest belongs to a different run or is newer than the record.
 */
export async function openCheckpoint<Own>(context: StageContext): Promise<Checkpoint<Own> | null> {
  const left = (await temporariesIn(context.folder)).flatMap((one) => statesIn(one, { depth: 1, unlinked: true }));
  await removeTemporary(context.folder);
  await deleteStates(context, left);
  const damaged: string[] = [];
  for (const step of newestFirst(context.folder)) {
    const folder = join(context.folder, checkpointName(step));
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

/** Not skipped like a damaged one: it is whole, and the user must know that it is there. */
class ForeignCheckpoint extends CheckpointError {}

function checkOrigin(folder: string, found: RunOrigin | undefined, expected: RunOrigin | undefined): void {
  const other = found && expected && otherOrigin(found, expected);
  if (!other) return;
  const remedy = "Move the folder away, or put back the run's own files.";
  throw new ForeignCheckpoint(`cannot continue from ${folder}: ${other}`, remedy);
}

/**
 * Throws CheckpointError if the record ends before the steps of a folder: a step's records are on the disk before its checkpoint is, so only an older
 * copy of the database, or deleted rows, can be the reason.
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
    "Restore the newer database. Without one, move newer checkpoints and final folders away: the run continues from the newest that the database knows.",
  );
}

function newestFirst(folder: string): number[] {
  return checkpointSteps(folder).reverse();
}
