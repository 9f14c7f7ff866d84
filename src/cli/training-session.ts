/** A training session of one run, from taking its folder to giving it back: engine, store, signals, progress. */
import { join } from "node:path";
import type { Config } from "../config/index.ts";
import { createEmbeddedEngine } from "../engine/embedded/index.ts";
import type { Engine } from "../engine/engine.ts";
import type { RunPlace } from "../inspect/places.ts";
import { hooksOf } from "../notify/index.ts";
import type { PipelineResult } from "../run/pipeline.ts";
import { runPipeline } from "../run/pipeline.ts";
import { openStore, type Store, type StoreRecorder } from "../store/index.ts";
import type { PreparedRows } from "../trainer/encoded-rows.ts";
import type { EventRecord, RunState } from "../types/records.ts";
import { counted } from "../util/counted.ts";
import {
  BallastError,
  CheckpointError,
  Interrupted,
  messageOf,
  RolledBack,
  StoppedByController,
} from "../util/errors.ts";
import { createAnnouncer, withEvents } from "./announce.ts";
import { type RunningDashboard, startDashboard } from "./dashboard.ts";
import { hasCheckpoint, naming, resumeCommand, showCommand } from "./find-run.ts";
import { watchSignals } from "./interrupt.ts";
import { lockRun, type RunLock } from "./lock.ts";
import { type Machine, machineDifferences, machineRecord } from "./machine-record.ts";
import { ProgressDisplay } from "./progress.ts";
import { hasTrainedFiles, removeRun } from "./remove-run.ts";
import { shortPath } from "./short-path.ts";
import { shownValues } from "./shown-values.ts";
import { openTelling, type Telling } from "./telling.ts";
import type { Terminal } from "./terminal.ts";

export interface SessionOptions {
  readonly config: Config;
  /** The configuration as the run's folder records it. */
  readonly recorded: string;
  readonly place: RunPlace;
  /** Its rows, where they were read already. */
  readonly prepared?: PreparedRows;
  readonly resume: boolean;
  /** Go on although rows have changed since the run began. */
  readonly allowChangedData?: boolean;
  /** Stay, and wait for a person's decision, where the controller stops the run. */
  readonly wait: boolean;
  /** Show the dashboard while it trains. */
  readonly dashboard: boolean;
  readonly terminal: Terminal;
}

export interface SessionResult {
  readonly result: PipelineResult;
  /** Wall time of this session. */
  readonly seconds: number;
}

/** Trains until the run is done. Throws Interrupted, once the state is saved, where a signal asked for it. */
export async function trainRun({
  config,
  recorded,
  place,
  prepared,
  resume,
  allowChangedData,
  wait,
  dashboard,
  terminal,
}: SessionOptions): Promise<SessionResult> {
  const startedAt = Date.now();
  const { id, folder, workspace } = place;
  const hooks = hooksOf(config.control.notify, process.env);
  const c = terminal.noteColours;
  const resumed = resumeCommand(place);
  const goOn = () => (hasCheckpoint(folder) ? `from its last checkpoint it goes on with ${resumed}` : null);
  const lock = lockRun(folder);
  const display = new ProgressDisplay({ terminal, pick: shownValues });
  const announcer = createAnnouncer({
    note: (line) => display.note(line),
    colours: c,
    tier2Acts: config.control.profile === "adaptive" && config.control.interventions === "on",
    waits: wait,
    workspace,
  });
  const warn = (message: string) => display.note(`${c.yellow("warning:")} ${message}`);
  /** Whether a step has ended here. */
  let advanced = false;
  const untrained = () => {
    try {
      return !resume && !advanced && !hasTrainedFiles(folder) && store?.hasTrained(id) !== true;
    } catch {
      // What is not known is kept.
      return false;
    }
  };
  const signals = watchSignals({
    onInterrupt: () => display.note(c.yellow("finishing this step, then saving; Ctrl-C again leaves at once")),
    onLeave: () => {
      display.close();
      if (untrained()) {
        discard(place, { lock, warn });
        terminal.note(nothingLeft);
      } else terminal.note(`left without saving; ${goOn() ?? "nothing was saved before"}`);
    },
  });
  let engine: Engine | null = null;
  let store: Store | null = null;
  let recorder: StoreRecorder | null = null;
  let telling: Telling | null = null;
  let page: RunningDashboard | null = null;
  let discarded = false;
  try {
    if (dashboard)
      page = startDashboard({
        workspace,
        onAddress: (address) => display.note(`dashboard: ${address}`),
        onFailure: (reason) => warn(`there is no dashboard: ${reason}; training goes on without it`),
      });
    store = openStore(join(workspace, "ballast.db"));
    const known = store.run(id);
    const before = known ? (JSON.parse(known.machine) as Machine) : null;
    // The thread count is part of what makes a run repeatable to the bit: a resumed one keeps its own.
    engine = await createEmbeddedEngine({
      threads: before?.threads ?? config.threads,
      onNote: (text) => display.note(text),
    });
    const machine = await machineRecord(engine);
    if (!known) {
      const { objective, seed } = config;
      store.createRun({
        id,
        objective,
        seed,
        folder,
        config: recorded,
        machine: JSON.stringify(machine),
        createdAt: startedAt,
      });
    }
    for (const difference of before ? machineDifferences(before, machine) : [])
      warn(`${difference}; the last bits may differ`);
    const waiting = store.incidents({ run: id, open: true })[0];
    if (waiting)
      throw new StoppedByController(`incident ${waiting.id} of ${id} waits for a decision: ${waiting.summary}`);
    display.note(
      c.dim(
        `${resume ? "resuming" : "run"} ${id} in ${shortPath(folder)}: ${machine.cpu}, ${counted(machine.threads, "thread")}, seed ${config.seed}`,
      ),
    );
    telling = openTelling({ config, hooks, runId: id, store, onWarning: warn });
    const tell = (event: EventRecord) => {
      announcer.event(event);
      telling?.event(event);
    };
    let result: PipelineResult | null = null;
    // A run that rolls back goes on as a new attempt.
    for (let again = resume; result === null; again = true) {
      recorder?.close();
      recorder = store.recorder(id, store.startAttempt(id), { onWarning: warn });
      telling.recordWith(recorder);
      try {
        result = await runPipeline({
          config,
          folder,
          recorder: withEvents(recorder, tell),
          engine,
          prepared,
          resume: again,
          allowChangedData,
          wait,
          onProgress: (progress) => {
            advanced ||= progress.step > 0;
            announcer.progress(progress);
            display.update(progress);
          },
          interrupted: signals.interrupted,
        });
      } catch (error) {
        if (!(error instanceof RolledBack)) throw error;
        recorder.state("interrupted");
        display.note(c.yellow(messageOf(error)));
      }
    }
    recorder!.state("done");
    return { result, seconds: (Date.now() - startedAt) / 1000 };
  } catch (error) {
    recorder?.state(stateAfter(error));
    if (untrained()) {
      discarded = true;
      throw withoutRun(error);
    }
    if (error instanceof StoppedByController || error instanceof Interrupted) {
      const waiting = store?.incidents({ run: id, open: true })[0];
      if (waiting) error.hint ??= `How to decide: ${showCommand(waiting.id, workspace)}; then: ${resumed}`;
      if (error instanceof Interrupted) error.hint ??= `Go on with: ${resumed}`;
    } else {
      // Going on again would be refused again.
      const refused = resume && error instanceof CheckpointError;
      const saysHow = refused || (error instanceof BallastError && error.hint?.includes("resume RUN"));
      if (!saysHow && goOn() !== null) display.note(c.dim(`run ${id} ended early; ${goOn()}`));
    }
    throw naming(error, place);
  } finally {
    display.close();
    await telling?.close();
    recorder?.close();
    store?.close();
    await engine?.close();
    await page?.close();
    signals.dispose();
    if (discarded) discard(place, { lock, warn });
    lock.release();
  }
}

const nothingLeft = "nothing was trained, and no run is left behind";

/** A run that never trained is nothing to go on from: it goes, and its number is free again. */
function discard(place: RunPlace, { lock, warn }: { lock: RunLock; warn: (message: string) => void }): void {
  try {
    removeRun(place, lock);
  } catch (error) {
    warn(`the run ${place.id} never trained, and could not be removed: ${messageOf(error)}`);
  }
}

/** The same error for a run that is gone: its hint does not say how to go on. */
function withoutRun(error: unknown): unknown {
  if (error instanceof Interrupted) return new Interrupted(`interrupted before its first step: ${nothingLeft}`);
  if (error instanceof BallastError)
    error.hint = error.hint?.replace(/go on with: ballast resume RUN( --[\w-]+)*/, "start it again");
  return error;
}

function stateAfter(error: unknown): RunState {
  if (error instanceof Interrupted) return "interrupted";
  return error instanceof StoppedByController ? "stopped" : "failed";
}
