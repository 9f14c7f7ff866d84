/** A training run on the command line: progress on the terminal, Ctrl-C, a dashboard beside it, and how to continue. */
import { hooksOf } from "../notify/index.ts";
import { nothingLeft, openRun, type RunFacts, type RunNote, type TrainedRun } from "../run/open-run.ts";
import { type PipelineResult, runPipeline } from "../run/pipeline.ts";
import { hasCheckpoint } from "../run/run-folder.ts";
import { counted } from "../util/counted.ts";
import { BallastError, CheckpointError, Interrupted, StoppedByController } from "../util/errors.ts";
import { createAnnouncer } from "./announce.ts";
import { type RunningDashboard, startDashboard } from "./dashboard.ts";
import { naming, resumeCommand, showCommand } from "./find-run.ts";
import { watchSignals } from "./interrupt.ts";
import { ProgressDisplay } from "./progress.ts";
import { shortPath } from "./short-path.ts";
import { shownValues } from "./shown-values.ts";
import type { Terminal } from "./terminal.ts";

export interface SessionOptions {
  readonly run: RunFacts;
  /** Continue even if rows have changed since the run began. */
  readonly allowChangedData?: boolean;
  /** Stay, and wait for an operator's decision, if the controller stops the run. */
  readonly wait: boolean;
  /** Show the dashboard while it trains. */
  readonly dashboard: boolean;
  /** Who starts or resumes it; by default the user who is logged in. */
  readonly operator?: string | undefined;
  readonly terminal: Terminal;
}

export type SessionResult = TrainedRun<PipelineResult>;

/** Trains until the run is done. Throws Interrupted, once the state is saved, if a signal asked for it. */
export async function trainRun(options: SessionOptions): Promise<SessionResult> {
  const { run: facts, allowChangedData, wait, terminal } = options;
  const { config, place, resume } = facts;
  const { id, folder, workspace } = place;
  const c = terminal.noteColours;
  const resumed = resumeCommand(place);
  const goOn = () => (hasCheckpoint(folder) ? `to continue from its last checkpoint: ${resumed}` : null);
  const display = new ProgressDisplay({ terminal, pick: shownValues });
  const announcer = createAnnouncer({
    note: (line) => display.note(line),
    colours: c,
    tier2Acts: config.control.profile === "adaptive" && config.control.interventions === "on",
    waits: wait,
    workspace,
  });
  const words: Readonly<Record<RunNote["kind"], (text: string) => string>> = {
    note: (text) => text,
    warning: (text) => `${c.yellow("warning:")} ${text}`,
    rollback: (text) => c.yellow(text),
  };
  let interrupted = () => false;
  const run = openRun({
    ...facts,
    allowChangedData,
    wait,
    ...(options.operator !== undefined && { operator: options.operator }),
    hooks: hooksOf(config.control.notify, process.env),
    interrupted: () => interrupted(),
    onEvent: (event) => announcer.event(event),
    onProgress: (progress) => {
      announcer.progress(progress);
      display.update(progress);
    },
    onNote: ({ kind, text }) => display.note(words[kind](text)),
    onMachine: ({ cpu, threads }) =>
      display.note(
        c.dim(
          `${resume ? "resuming" : "run"} ${id} in ${shortPath(folder)}: ${cpu}, ${counted(threads, "thread")}, seed ${config.seed}`,
        ),
      ),
  });
  const signals = watchSignals({
    onInterrupt: () => display.note(c.yellow("finishing this step, then saving; Ctrl-C again leaves at once")),
    onLeave: () => {
      display.close();
      terminal.note(run.leave() ? nothingLeft : `left without saving; ${goOn() ?? "nothing was saved before"}`);
    },
  });
  interrupted = signals.interrupted;
  let page: RunningDashboard | null = null;
  try {
    if (options.dashboard)
      page = startDashboard({
        workspace,
        onAddress: (address) => display.note(`dashboard: ${address}`),
        onFailure: (reason) =>
          display.note(words.warning(`the dashboard did not start: ${reason}; training continues without it`)),
      });
    return await run.train(runPipeline);
  } catch (error) {
    const { incident, removed } = run.ended;
    if (removed) {
      // An interruption says so itself.
      if (!(error instanceof Interrupted)) display.note(c.dim(`run ${id} ended at its start: ${nothingLeft}`));
      throw error;
    }
    if (error instanceof StoppedByController || error instanceof Interrupted) {
      if (incident !== null) error.hint ??= `How to decide: ${showCommand(incident, workspace)}; then: ${resumed}`;
      if (error instanceof Interrupted) error.hint ??= `Continue with: ${resumed}`;
    } else {
      // Resuming would be refused again.
      const refused = resume && error instanceof CheckpointError;
      const saysHow = refused || (error instanceof BallastError && error.hint?.includes("resume RUN"));
      if (!saysHow && goOn() !== null) display.note(c.dim(`run ${id} ended early; ${goOn()}`));
    }
    throw naming(error, place);
  } finally {
    display.close();
    await page?.close();
    signals.dispose();
  }
}
