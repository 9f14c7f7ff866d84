/** What every stage does around its steps: commands, settings, checkpoints, interruption, events. */
import { setTimeout as sleep } from "node:timers/promises";
import { lengthKeys } from "../config/extend.ts";
import { applyChange, type Change, hyperparameters, settingOf, stageOfKey } from "../config/live-changes.ts";
import { checkCapabilities } from "../engine/capabilities.ts";
import type { PassOptions } from "../engine/engine.ts";
import {
  type CommandRecord,
  type EventKind,
  type MetricValues,
  type SettingRecord,
  type Stage,
  stages,
} from "../types/records.ts";
import { BallastError, CheckpointError, EngineError, Interrupted, messageOf } from "../util/errors.ts";
import { remedyFor } from "../util/system-faults.ts";
import { type AppliedChange, type Checkpoint, openCheckpoint, type SavedModels, saveCheckpoint } from "./checkpoint.ts";
import { type FinalRequest, saveFinal } from "./final.ts";
import { type Best, judged, measured, noBest } from "./keep-best.ts";
import { rollbackTargets } from "./rollback-targets.ts";
import type { Progress, ProgressPart, StageResult } from "./run-types.ts";
import type { StageContext } from "./stage-context.ts";

/** How often a paused run looks for commands, in milliseconds. */
const pausedPoll = 200;

interface LoopSettings {
  readonly checkpointEvery: number;
  readonly keep: number | "best";
}

export interface LoopOptions<Settings extends LoopSettings, Own> {
  readonly settings: Settings;
  readonly steps: number;
  readonly unit: Progress["unit"];
  readonly checkpoint: Checkpoint<Own> | null;
  /** The present content of a checkpoint. */
  readonly snapshot: () => { own: Own; models: SavedModels };
  /** The value in force of a setting that is held outside the settings; undefined for other settings. */
  readonly inForce?: (key: string) => Change["value"] | undefined;
  /** Called before the step with a setting that an operator changed. */
  readonly onChange?: (change: Change, told: Told) => void;
  /** Called before the step with an intervention that an operator undoes; returns whether it was in force. */
  readonly onUndo?: (intervention: number, told: Told) => boolean;
  /** Which states are targets for rollbacks. */
  readonly rollbacks?: {
    /** Whether this state, after so many steps, is one. */
    readonly isHealthy: (own: Own, step: number) => boolean;
    /** The first step that a rule looks back on now. */
    readonly reach: () => number;
  };
}

/** When an operator's command is applied. */
interface Told {
  /** The step before which it is applied. */
  readonly step: number;
  /** Whether the state was saved after processing the command, and is resumed here. */
  readonly again: boolean;
}

/** Thrown inside a step to leave it; `StageLoop.leave` turns it into an Interrupted. */
class LeaveStep extends Error {}

/** The life of one stage, from its first step to its last. */
export class StageLoop<Settings extends LoopSettings, Own> {
  /** The first step: 0, or where the checkpoint left off. */
  readonly first: number;
  /** The settings now in force. */
  settings: Settings;
  /** Metrics of the last finished step. */
  values: MetricValues;
  readonly #context: StageContext;
  readonly #options: LoopOptions<Settings, Own>;
  #changes: AppliedChange[];
  #healthy: readonly number[];
  #evidence: readonly number[];
  #best: Best;
  #savedStep: number | null;
  #savedFolder: string | null;
  /** Why the state could not be saved the last time; undefined if it was. */
  #saveError: unknown;
  readonly #warned = new Set<string>();

  constructor(context: StageContext, options: LoopOptions<Settings, Own>) {
    const { checkpoint, settings } = options;
    this.#context = context;
    this.#options = options;
    this.first = checkpoint?.state.step ?? 0;
    this.#changes = [...(checkpoint?.state.changes ?? [])];
    this.#healthy = checkpoint?.state.healthy ?? [];
    this.#evidence = checkpoint?.state.evidence ?? [];
    this.#best = checkpoint?.state.best ?? noBest;
    const { config, stage } = context;
    this.settings = this.#changes.reduce(
      (section, change) => applyChange({ config, stage, section, change }),
      settings,
    );
    this.values = checkpoint?.state.values ?? {};
    this.#savedStep = checkpoint?.state.step ?? null;
    this.#savedFolder = checkpoint?.folder ?? null;
    this.#announce();
  }

  /** Before a step: applies commands, waits while paused, leaves if the run is to end. Returns the settings in force. */
  async begin(step: number): Promise<Settings> {
    const { recorder, stage, interrupted } = this.#context;
    for (const command of recorder.commandsAppliedAt(stage, step)) {
      if (command.kind === "set") await this.#set(command, step);
      if (command.kind === "undo") this.#undo(command, { step, again: true });
    }
    for (let paused = false; ; await sleep(pausedPoll)) {
      for (const command of recorder.pendingCommands()) {
        if (isForLater(command, stage)) continue;
        recorder.markApplied(command.id, stage, step);
        if (command.kind === "set") await this.#set(command, step);
        else if (command.kind === "undo") this.#undo(command, { step, again: false });
        else this.event("command", step, `told to ${command.kind}${reasonOf(command)}`, { id: command.id });
        if (command.kind === "save") await this.save(step);
        if (command.kind === "stop") await this.#end(step, "stopped by a command");
        if (command.kind === "pause" || command.kind === "resume") {
          const pausing = command.kind === "pause";
          if (pausing !== paused) recorder.state(pausing ? "paused" : "running");
          paused = pausing;
        }
        recorder.commit();
      }
      if (interrupted()) await this.#end(step, "interrupted");
      if (!paused) return this.settings;
    }
  }

  /** Leaves the step if the run is to end. Call it only while nothing of the step has reached the weights. */
  poll(): void {
    if (this.#context.interrupted()) throw new LeaveStep();
  }

  /** Handles an error in a step of which nothing has reached the weights: saves the state before it, and throws. */
  async leave(step: number, error: unknown): Promise<never> {
    if (error instanceof LeaveStep) return this.#end(step, "interrupted");
    // After an engine's failure there is nothing to save, and its error is the one that matters.
    if (error instanceof BallastError && !(error instanceof EngineError)) await this.save(step);
    throw error;
  }

  /** After a step: makes its records durable, reports progress, saves if that is due. `done` counts this step. */
  async end(done: number, values: MetricValues): Promise<void> {
    const { recorder } = this.#context;
    recorder.commit();
    this.values = values;
    this.#best = measured(this.#best, values);
    this.progress(done);
    const { checkpointEvery } = this.settings;
    if (checkpointEvery > 0 && done % checkpointEvery === 0) await this.save(done);
  }

  /** After the last step, or earlier if a target was met: saves the whole state once more, then the stage's result. */
  async finish(
    result: Omit<FinalRequest, "steps" | "values">,
    { steps }: { readonly steps: number } = this.#options,
  ): Promise<StageResult> {
    // The values may hold a last measurement, made after the last step.
    this.progress(steps);
    await this.save(steps);
    return saveFinal(this.#context, { ...result, steps, values: this.values });
  }

  progress(step: number, message?: string, part?: ProgressPart): void {
    const { stage, onProgress } = this.#context;
    const { steps, unit } = this.#options;
    onProgress({ stage, step, steps, unit, values: this.values, part, ...(message === undefined ? {} : { message }) });
  }

  /** The passes of a call of which nothing reaches the weights: each is told of, and before each the run may end. */
  passes(
    step: number,
    { microBatch, message }: { readonly microBatch: number; readonly message?: string },
  ): PassOptions {
    const beforePass = (done: number, of: number) => {
      this.poll();
      this.progress(step, message, { done, of, unit: "pass" });
    };
    return { microBatch, beforePass };
  }

  /** Newest healthy checkpoint at or before `step`; null if there is none. */
  lastHealthy(step: number): number | null {
    return this.#healthy.filter((healthy) => healthy <= step).at(-1) ?? null;
  }

  /** Keeps the checkpoint of this step whatever `keep` says, and releases earlier evidence. */
  keepAsEvidence(step: number): void {
    this.#evidence = [step];
  }

  /** Saves the state after `step` steps. A failure is a warning: the older checkpoints still exist. */
  async save(
    step: number,
    snapshot: { readonly own: Own; readonly models: SavedModels } = this.#options.snapshot(),
  ): Promise<boolean> {
    if (this.#savedStep === step) return true;
    const { stage, recorder, origin } = this.#context;
    const { own, models } = snapshot;
    const { rollbacks } = this.#options;
    if (rollbacks?.isHealthy(own, step)) this.#healthy = rollbackTargets(this.#healthy, step, rollbacks.reach());
    const { keep } = this.settings;
    const best = keep === "best" ? judged(this.#best, step) : this.#best;
    try {
      const state = {
        format: 1 as const,
        stage,
        step,
        of: this.#options.steps,
        attempt: recorder.attempt,
        changes: this.#changes,
        values: this.values,
        healthy: this.#healthy,
        evidence: this.#evidence,
        best,
        ...(origin && { origin }),
        own,
      };
      const judgement = best.checkpoint?.step === step ? `, the best so far: ${bestWords(best.checkpoint)}` : "";
      // On the disk before the folder has its name: no kill leaves a checkpoint that the record does not know.
      const onWritten = (folder: string) => {
        this.event("checkpoint", step, `saved ${folder}${judgement}`, { folder });
        recorder.commit({ flush: true });
      };
      this.#savedFolder = await saveCheckpoint(this.#context, { state, models, keep, onWritten });
      this.#savedStep = step;
      this.#best = best;
      return true;
    } catch (error) {
      this.#saveError = error;
      this.event("warning", step, `could not save the state of ${stage} ${step}: ${messageOf(error)}. ${this.#kept()}`);
      return false;
    } finally {
      recorder.commit();
    }
  }

  event(kind: EventKind, iteration: number, message: string, data?: Readonly<Record<string, unknown>>): void {
    const { recorder, stage } = this.#context;
    recorder.event({ kind, stage, iteration, message, ...(data === undefined ? {} : { data }) });
  }

  /** Gives a warning that would repeat at every step only the first time. */
  warnOnce(topic: string, step: number, message: string): void {
    if (this.#warned.has(topic)) return;
    this.#warned.add(topic);
    this.event("warning", step, message);
  }

  /** A change that comes with a rollback, in force from this step on. False, with a warning, if it is impossible. */
  async change(change: Change, step: number): Promise<boolean> {
    const { key, value } = change;
    try {
      const settings = await this.#changed(change);
      const before = this.#valueOf(key);
      this.settings = settings;
      this.#changes = [...this.#changes, { ...change, command: null, before }];
      this.setting({ iteration: step, key, before, value, cause: "intervention" });
      return true;
    } catch (error) {
      if (!(error instanceof BallastError)) throw error;
      this.event("warning", step, `the rollback leaves ${key} as it was: ${error.message}`);
      return false;
    }
  }

  setting(record: Omit<SettingRecord, "stage">): void {
    this.#context.recorder.setting({ stage: this.#context.stage, ...record });
  }

  async #end(step: number, why: string): Promise<never> {
    const { stage, recorder } = this.#context;
    const { unit, steps } = this.#options;
    const saved = await this.save(step);
    const what = `${why} in ${stage} at ${unit} ${step} of ${steps}`;
    this.event("interrupted", step, saved ? `${what}; the state is saved` : `${what}; the state could not be saved`);
    recorder.commit();
    if (!saved)
      throw new CheckpointError(
        `${what}, and its state could not be saved. ${this.#kept()}`,
        remedyFor(this.#saveError),
        { cause: this.#saveError },
      );
    throw new Interrupted(`${what}; its state is saved in ${this.#savedFolder}`);
  }

  #kept(): string {
    return this.#savedFolder === null ? "There is no older checkpoint." : `${this.#savedFolder} is still there.`;
  }

  /** The settings with a change that the engine can carry out, too. */
  async #changed(change: Change): Promise<Settings> {
    const { stage, config, engine } = this.#context;
    const settings = applyChange({ config, stage, section: this.settings, change });
    checkCapabilities(await engine.info(), { ...config, [stage]: settings });
    return settings;
  }

  async #set(command: CommandRecord, step: number): Promise<void> {
    const { id } = command;
    const change = changeOf(command);
    // Saved after the change, and resumed there: only its record belongs to the attempt that was cut off.
    const known = this.#changes.find((applied) => applied.command === id);
    try {
      const settings = known ? this.settings : await this.#changed(change);
      const before = known ? known.before : this.#valueOf(change.key);
      if (!known) {
        this.settings = settings;
        this.#changes = [...this.#changes, { ...change, command: id, before }];
      }
      this.#options.onChange?.(change, { step, again: known !== undefined });
      this.setting({ iteration: step, key: change.key, before, value: change.value, cause: "operator" });
      this.event("command", step, `${change.key} set from ${before} to ${change.value}${reasonOf(command)}`, { id });
    } catch (error) {
      if (!(error instanceof BallastError)) throw error;
      this.event("command", step, `refused: ${error.message}. ${error.hint ?? ""}`.trim(), { id });
    }
  }

  #undo(command: CommandRecord, told: Told): void {
    const { intervention } = command.payload as { intervention?: unknown };
    const undone = typeof intervention === "number" && this.#options.onUndo?.(intervention, told) === true;
    const what = undone
      ? `intervention ${intervention} undone`
      : `intervention ${intervention} is not in force: nothing is undone`;
    this.event("command", told.step, `${what}${reasonOf(command)}`, { id: command.id });
  }

  #valueOf(key: string): Change["value"] {
    const value = this.#options.inForce?.(key) ?? settingOf(this.#context.stage, this.settings, key);
    return (value ?? null) as Change["value"];
  }

  #announce(): void {
    const { resume, stage, recorder } = this.#context;
    const { checkpoint, unit, steps } = this.#options;
    if (resume && checkpoint !== null) {
      const where = `${unit} ${this.first} of ${steps}, from ${checkpoint.folder}`;
      this.event("resumed", this.first, `${stage} resumed at ${where}`);
      const { of: before = steps, forked } = checkpoint.state;
      if (forked !== undefined) {
        for (const { key, before, value } of forked.changes)
          this.setting({ iteration: this.first, key, before, value, cause: "config" });
        const differ = forked.changes.map(({ key, before, value }) => `${key} ${before} to ${value}`);
        const what = differ.length === 0 ? "" : `, with other settings: ${differ.join(", ")}`;
        this.event("note", this.first, `forked from the run ${forked.run} at ${unit} ${this.first}${what}`);
      }
      if (before !== steps) {
        const key = lengthKeys[stage];
        this.setting({ iteration: this.first, key, before, value: steps, cause: "operator" });
        this.event("note", this.first, `${key} set from ${before} to ${steps} by whoever resumed the run`);
      }
    }
    if (this.first === 0) {
      this.event("stage_started", 0, `${stage}: ${steps} ${unit}s`);
      for (const { key, value } of hyperparameters(stage, this.settings))
        this.setting({ iteration: 0, key, before: null, value, cause: "config" });
    }
    recorder.commit();
  }
}

/** Opens a stage's loop at its newest checkpoint, or at the beginning. Throws CheckpointError if the folder is in use. */
export async function findCheckpoint<Own>(context: StageContext): Promise<Checkpoint<Own> | null> {
  const checkpoint = await openCheckpoint<Own>(context);
  if (checkpoint === null || context.resume) return checkpoint;
  throw new CheckpointError(
    `${context.folder} holds a checkpoint of an earlier run`,
    "Continue it with ballast resume RUN, or choose another folder.",
  );
}

function bestWords({ signal, value }: { readonly signal: string; readonly value: number }): string {
  return `${signal} ${Number(value.toPrecision(3))}`;
}

/** Whether a command is for a later stage. */
function isForLater(command: CommandRecord, stage: Stage): boolean {
  const target = targetOf(command);
  return target !== null && stages.indexOf(target) > stages.indexOf(stage);
}

/** The stage that a command addresses; null for whichever runs. Only PPO has interventions. */
function targetOf(command: CommandRecord): Stage | null {
  if (command.kind === "undo") return "ppo";
  return command.kind === "set" ? stageOfKey(changeOf(command).key) : null;
}

function changeOf({ payload }: CommandRecord): Change {
  const { key, value } = payload as { key?: unknown; value?: unknown };
  return { key: String(key), value: (value ?? null) as Change["value"] };
}

function reasonOf({ reason }: CommandRecord): string {
  return reason === "" ? "" : ` (${reason})`;
}
