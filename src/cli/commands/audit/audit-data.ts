/** What an audit holds of a run: everything recorded and on the disk that decides what its model is, as plain data. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkpointName, checkpointSteps } from "../../../config/checkpoint-names.ts";
import type { Config } from "../../../config/index.ts";
import { configOf, type RunPlace } from "../../../inspect/places.ts";
import { controlOf, replayOn } from "../../../inspect/recorded-control.ts";
import { evaluationOf } from "../../../inspect/run-files.ts";
import type { Machine } from "../../../run/machine-record.ts";
import type { ChainCheck, EventRow, SettingRow, Store } from "../../../store/index.ts";
import { dataChanges, readRecord } from "../../../trainer/data-record.ts";
import { hashModels, recordedModels } from "../../../trainer/model-record.ts";
import { stages } from "../../../types/records.ts";
import { BallastError, messageOf, UsageError } from "../../../util/errors.ts";
import { type FileRecords, firstDifference, headIn, manifestFile, readManifest } from "../../../util/manifest.ts";
import { codeHash } from "../../../util/own-code.ts";
import { version } from "../../../util/own-version.ts";
import { jsonLine } from "../../json-line.ts";
import { notReproducible } from "./not-reproducible.ts";

/** A folder with a manifest: what was written, and whether it is still there. */
export interface AuditedFolder {
  /** Relative to the run's folder; `.` is that folder itself. */
  readonly folder: string;
  readonly files: FileRecords;
  /** What differs from what was written; null if nothing does. */
  readonly difference: string | null;
  /** The record's head when the folder was written, and when it was sealed: null if the chain lacks it. */
  readonly head: string | null;
  readonly sealedAt: number | null;
}

/** What `ballast replay` finds: whether the rules decide the same on the record. */
export interface AuditedReplay {
  /** null if it cannot be replayed; `why` then says why. */
  readonly same: boolean | null;
  readonly decided: number;
  readonly why: string | null;
}

export type Audit = Awaited<ReturnType<typeof auditOf>>;

export interface RecordCheck {
  readonly record: ChainCheck;
  readonly folders: readonly AuditedFolder[];
}

/** Checks the chain over a run's record, its files, and whether the heads in its manifests are in the chain. */
export async function checkRecord(store: Store, place: RunPlace): Promise<RecordCheck> {
  const record = store.checkChain(place.id);
  const folders: AuditedFolder[] = [];
  for (const folder of manifestFolders(place.folder)) {
    const path = join(place.folder, folder);
    const head = headIn(path);
    const files = readManifest(path) ?? {};
    folders.push({
      ...{ folder, files, head },
      difference: await firstDifference(path, files),
      sealedAt: head === null ? null : store.sealedAt(place.id, head),
    });
  }
  return { record, folders };
}

/** What does not fit, in sentences; empty if everything does. */
export function faultsOf({ record, folders }: RecordCheck): string[] {
  const { faults, faultCount } = record;
  return [
    ...faults,
    ...(faultCount > faults.length ? [`${faultCount - faults.length} more`] : []),
    ...folders.flatMap(({ folder, difference, head, sealedAt }) => [
      ...(difference === null ? [] : [`${folder === "." ? "the run's folder" : folder}: ${difference}`]),
      ...(head !== null && sealedAt === null
        ? [
            `${folder} was written when the record's head was ${head}, which the chain lacks: the record was rewritten or cut off since`,
          ]
        : []),
    ]),
  ];
}

/** Everything about a run, by the operator `by`, at the time `now` (Unix milliseconds). */
export async function auditOf(
  store: Store,
  place: RunPlace,
  { by, now }: { readonly by: string; readonly now: number },
) {
  const { id, folder } = place;
  const run = store.run(id);
  if (run === undefined) throw new UsageError(`${store.path} has no run ${id}`, "Its database is not here.");
  const config = configOf(place);
  const check = await checkRecord(store, place);
  const all = { limit: Number.MAX_SAFE_INTEGER };
  const { objective, seed, createdAt, state } = run;
  const machine = JSON.parse(run.machine) as Machine;
  const attempts = store.attempts(id).map((attempt) => ({
    ...attempt,
    machine: attempt.machine === null ? null : (JSON.parse(attempt.machine) as Machine),
  }));
  const replay = replayed(store, place);
  return {
    format: 1,
    made: { at: new Date(now).toISOString(), by, ballast: version(), code: codeHash() },
    faults: faultsOf(check),
    run: { id, objective, seed, createdAt, state, folder },
    ...check,
    machine,
    attempts,
    states: store.states(id),
    configuration: JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as unknown,
    data: { recorded: readRecord(folder), changes: orMessage(() => dataChanges(config, folder)) },
    models: await modelsOf(config, folder),
    rewardCode: rewardCodeOf(folder),
    settings: withAuthors(store, id),
    events: store.events(id, all).rows satisfies EventRow[],
    incidents: store.incidents({ run: id }).map(({ evidence: { worstSamples: _, ...evidence }, ...incident }) => ({
      ...incident,
      evidence,
    })),
    commands: store.commands(id),
    marks: store.marks(id),
    ratings: store.ratings(id).map(({ id, kind, rater, operator, at }) => ({ id, kind, rater, operator, at })),
    evaluation: evaluationOf(place),
    replay,
    notReproducible: notReproducible({ config, machine, attempts, commands: store.commands(id) }),
  };
}

/** The changes of hyperparameters, those of an operator with the name and the reason. */
function withAuthors(store: Store, id: string): (SettingRow & { operator?: string | null; reason?: string })[] {
  const commands = store.commands(id).filter(({ kind }) => kind === "set");
  return store.settings(id, { limit: Number.MAX_SAFE_INTEGER }).rows.map((row) => {
    if (row.cause !== "operator") return row;
    const command = commands.findLast(
      ({ payload, appliedStage, appliedIteration }) =>
        payload.key === row.key && appliedStage === row.stage && appliedIteration === row.iteration,
    );
    return command === undefined ? row : { ...row, operator: command.operator, reason: command.reason };
  });
}

/** The models that the run starts from: their weights' hashes when it began (null for a run of an earlier version), and now. */
async function modelsOf(config: Config, folder: string) {
  const recorded = recordedModels(folder);
  const now = await hashModels(config).catch(() => null);
  return { recorded, now };
}

/** The hash of the user's reward functions, as the newest checkpoint of PPO keeps it; null if there is none. */
function rewardCodeOf(folder: string): string | null {
  const newest = checkpointSteps(join(folder, "ppo")).at(-1);
  if (newest === undefined) return null;
  try {
    const text = readFileSync(join(folder, "ppo", checkpointName(newest), "state.json"), "utf8");
    const { own } = JSON.parse(text) as { own?: { rewardHash?: string } };
    return own?.rewardHash || null;
  } catch {
    return null;
  }
}

function replayed(store: Store, place: RunPlace): AuditedReplay {
  try {
    const recorded = controlOf(store, place);
    const same = jsonLine(recorded.decided) === jsonLine(replayOn(recorded, recorded.rules));
    return { same, decided: recorded.decided.length, why: null };
  } catch (error) {
    if (!(error instanceof BallastError)) throw error;
    return { same: null, decided: 0, why: messageOf(error) };
  }
}

function orMessage<Result>(work: () => Result): Result | { readonly unknown: string } {
  try {
    return work();
  } catch (error) {
    return { unknown: messageOf(error) };
  }
}

/** The run's folder and those of its checkpoints and results, if they have a manifest. */
function manifestFolders(folder: string): string[] {
  const inside = stages
    .filter((stage) => existsSync(join(folder, stage)))
    .flatMap((stage) =>
      readdirSync(join(folder, stage))
        .filter((name) => !name.startsWith("."))
        .sort()
        .map((name) => `${stage}/${name}`),
    );
  return [".", ...inside].filter((one) => existsSync(join(folder, one, manifestFile)));
}
