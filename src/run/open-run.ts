/** One run in this process, from locking its folder to releasing it: store, engine, attempts, notices, rollback. It knows nothing of terminals. */
import type { Config } from "../config/index.ts";
import type { RunPlace } from "../inspect/places.ts";
import type { Hook } from "../notify/index.ts";
import { operatorName } from "../operator/operator-name.ts";
import { databaseOf, openStore, type Store, type StoreRecorder } from "../store/index.ts";
import type { PreparedRows } from "../trainer/encoded-rows.ts";
import type { Progress } from "../trainer/run-types.ts";
import { type EventRecord, type RunState, type Stage, stages } from "../types/records.ts";
import type { Recorder } from "../types/run-recorder.ts";
import { BallastError, Interrupted, messageOf, RolledBack, StoppedByController } from "../util/errors.ts";
import { failureEvent } from "./failure-event.ts";
import { lockRun, type RunLock } from "./lock.ts";
import type { Machine } from "./machine-record.ts";
import type { RunOptions } from "./pipeline.ts";
import { removeRun } from "./remove-run.ts";
import { openRunEngine, type RunEngine } from "./run-engine.ts";
import { hasTrainedFiles } from "./run-folder.ts";
import { openTelling, type Telling } from "./telling.ts";
import { watchedRecorder } from "./watched-recorder.ts";

/** A sentence about a run that is not in its record. `rollback`: the run continues as a new attempt. */
export interface RunNote {
  readonly kind: "note" | "warning" | "rollback";
  readonly text: string;
}

/** The callbacks for a run's progress. */
export interface RunListener {
  /** Called with each event as it is recorded. */
  readonly onEvent?: (event: EventRecord) => void;
  readonly onProgress?: (progress: Progress) => void;
  readonly onNote?: (note: RunNote) => void;
  /** Called with each state as it is recorded. */
  readonly onState?: (state: RunState) => void;
  /** Called with the machine on which the run is about to train. */
  readonly onMachine?: (machine: Machine) => void;
}

/** A run as returned by `newRun` or `knownRun`. */
export interface RunFacts {
  readonly config: Config;
  /** The configuration as the run's folder records it. */
  readonly recorded: string;
  readonly place: RunPlace;
  readonly resume: boolean;
  /** Its rows, if they have been read already. */
  readonly prepared?: PreparedRows;
}

export interface OpenRunOptions extends RunFacts, RunListener {
  /** Continue even if rows have changed since the run began. */
  readonly allowChangedData?: boolean;
  /** Stay, and wait for an operator's decision, if the controller stops the run. */
  readonly wait?: boolean;
  /** The webhooks that receive incidents and reports; none by default. */
  readonly hooks?: readonly Hook[];
  /** Who starts or resumes the run; by default the user who is logged in. */
  readonly operator?: string;
  /** Called while the engine starts and between steps: true ends the run after its state is saved. */
  readonly interrupted?: () => boolean;
}

export interface TrainedRun<Result> {
  readonly result: Result;
  /** Wall time of this session, in seconds. */
  readonly seconds: number;
  /** The head of the hash chain over the record (docs/audit.md); null if the disk could not take the last rows. */
  readonly head: string | null;
}

export interface OpenedRun {
  readonly place: RunPlace;
  /**
   * Attempts at the run until `work` returns, with a new one after each rollback; then everything is closed and the folder is released. Call it once.
   * What ends the run early is thrown after it is recorded: Interrupted and StoppedByController if it can continue. A run that has not trained a step
   * by then is removed.
   */
  train<Result>(work: (attempt: RunOptions) => Promise<Result>): Promise<TrainedRun<Result>>;
  /** Call it before the process ends at once. True if the run had not trained a step: it is then removed. */
  leave(): boolean;
  /** After `train` has thrown: the incident that waits for a decision, and whether the run was removed. */
  readonly ended: { readonly incident: number | null; readonly removed: boolean };
}

/**
 * Locks the run's folder.
 * @throws BallastError if a live process has it.
 */
export function openRun(options: OpenRunOptions): OpenedRun {
  const { config, recorded, place, resume, wait = false, hooks = [], ...more } = options;
  const { onEvent = () => {}, onProgress = () => {}, onNote = () => {}, onState = () => {}, onMachine } = more;
  const { interrupted = () => false } = more;
  const { id, folder, workspace } = place;
  const startedAt = Date.now();
  const lock = lockRun(folder);
  const ended = { incident: null as number | null, removed: false };
  const note = (text: string) => onNote({ kind: "note", text });
  const warn = (text: string) => onNote({ kind: "warning", text });
  let store: Store | null = null;
  /** Whether a step has been finished in this process. */
  let advanced = false;

  const untrained = () => {
    try {
      return !resume && !advanced && !hasTrainedFiles(folder) && store?.hasTrained(id) !== true;
    } catch {
      // A run with unknown progress is kept.
      return false;
    }
  };

  /** Reports how the machine differs from the run's first, and what must be decided before the run continues. */
  function checkIn(store: Store, { machine, differences }: RunEngine): void {
    const { objective, seed } = config;
    if (!store.run(id)) {
      const run = { id, objective, seed, folder, config: recorded, machine: JSON.stringify(machine) };
      store.createRun({ ...run, createdAt: startedAt });
    }
    for (const difference of differences) warn(`${difference}; the last bits may differ`);
    const waiting = store.incidents({ run: id, open: true })[0];
    if (waiting)
      throw new StoppedByController(`incident ${waiting.id} of ${id} waits for a decision: ${waiting.summary}`);
    onMachine?.(machine);
  }

  async function train<Result>(work: (attempt: RunOptions) => Promise<Result>): Promise<TrainedRun<Result>> {
    let opened: RunEngine | null = null;
    let telling: Telling | null = null;
    let attempt: StoreRecorder | null = null;
    let recorder: Recorder | null = null;
    let where = { stage: stages.find((stage) => config[stage] !== undefined) ?? "sft", iteration: 0 };
    try {
      store = openStore(databaseOf(workspace));
      const known = store.run(id);
      const before = known ? JSON.parse(known.machine) : null;
      const recordedIn = (stage: Stage) => (store?.newestIteration(id, stage) ?? -1) + 1;
      if (known?.position) where = { ...known.position, iteration: known.position.iteration + 1 };
      opened = await openRunEngine({ config, before, onNote: note, interrupted });
      checkIn(store, opened);
      const { engine } = opened;
      const begun = { operator: operatorName(options.operator), machine: JSON.stringify(opened.machine) };
      telling = openTelling({ config, hooks, runId: id, store, onWarning: warn });
      const tell = (event: EventRecord) => {
        onEvent(event);
        telling?.event(event);
      };
      for (let again = resume; ; again = true) {
        attempt?.close();
        attempt = store.recorder(id, store.startAttempt(id, begun), { onWarning: warn });
        telling.recordWith(attempt);
        recorder = watchedRecorder(attempt, { onEvent: tell, onState });
        try {
          const result = await work({
            config,
            folder,
            recorder,
            engine,
            prepared: options.prepared,
            resume: again,
            allowChangedData: options.allowChangedData,
            wait,
            onStage: (stage) => {
              where = { stage, iteration: recordedIn(stage) };
            },
            onProgress: (progress) => {
              const { stage, step, unit } = progress;
              if (unit === "step" || unit === "iteration") where = { stage, iteration: step };
              advanced ||= unit !== "row" && step > 0;
              onProgress(progress);
            },
            interrupted,
          });
          recorder.state("done");
          const head = attempt.waiting === 0 ? attempt.head() : null;
          return { result, seconds: (Date.now() - startedAt) / 1000, head };
        } catch (error) {
          if (!(error instanceof RolledBack)) throw error;
          recorder.state("interrupted");
          onNote({ kind: "rollback", text: messageOf(error) });
        }
      }
    } catch (error) {
      const state = stateAfter(error);
      // Whoever trains reports the error itself.
      if (state === "failed") attempt?.event(failureEvent(error, where));
      recorder?.state(state);
      attempt?.commit();
      ended.removed = untrained();
      if (ended.removed) throw withoutRun(error);
      if (error instanceof StoppedByController || error instanceof Interrupted)
        ended.incident = store?.incidents({ run: id, open: true })[0]?.id ?? null;
      throw error;
    } finally {
      await telling?.close();
      attempt?.close();
      store?.close();
      await opened?.engine.close();
      if (ended.removed) discard(place, { lock, warn });
      lock.release();
    }
  }

  return {
    place,
    train,
    ended,
    leave() {
      if (!untrained()) return false;
      discard(place, { lock, warn });
      return true;
    },
  };
}

/** The message for a run that never trained. */
export const nothingLeft = "nothing was trained, and no run is left behind";

/** Removes a run that never trained, since nothing could continue from it: its number is free again. */
function discard(place: RunPlace, { lock, warn }: { lock: RunLock; warn: (message: string) => void }): void {
  try {
    removeRun(place, lock);
  } catch (error) {
    warn(`the run ${place.id} never trained, and could not be removed: ${messageOf(error)}`);
  }
}

/** The same error for a removed run: its hint does not say how to continue. */
function withoutRun(error: unknown): unknown {
  if (error instanceof Interrupted) return new Interrupted(`interrupted before its first step: ${nothingLeft}`);
  if (error instanceof BallastError)
    error.hint = error.hint?.replace(/continue with: ballast resume RUN( --[\w-]+)*/, "start it again");
  return error;
}

function stateAfter(error: unknown): RunState {
  if (error instanceof Interrupted) return "interrupted";
  return error instanceof StoppedByController ? "stopped" : "failed";
}
