/** A complete run from a program: takes a configuration, makes models and a record, and reports events meanwhile. */

import { checkedConfig, type Loaded, loadConfig } from "../config/index.ts";
import { findRun } from "../inspect/places.ts";
import { hooksOf } from "../notify/index.ts";
import { knownRun } from "../run/known-run.ts";
import { newRun } from "../run/new-run.ts";
import { openRun as openFacts, type RunFacts, type RunListener, type TrainedRun } from "../run/open-run.ts";
import { type PipelineResult, runPipeline } from "../run/pipeline.ts";
import type { ConfigInput } from "../settings/config-schema.ts";

export interface RunProgramOptions extends RunListener {
  /** Aborting it ends the run at its next step, saved; `openRun` with its id continues it. */
  readonly signal?: AbortSignal;
}

export interface ProgramRun {
  readonly id: string;
  readonly folder: string;
  /** Trains until every stage of the configuration is done. Call it once. */
  train(): Promise<TrainedRun<PipelineResult>>;
}

/** A configuration as a value, the path of a YAML file, or an existing run. */
export type RunSource = ConfigInput | string | { readonly resume: string; readonly workspace?: string };

/**
 * Trains a configuration: a value with the structure of the YAML file, or the file's path.
 *
 * @example
 * const { result } = await train({ demo: {}, sft: {}, reward: {}, ppo: {} }, { onEvent: ({ message }) => console.log(message) });
 * @throws UsageError for a configuration that cannot run; Interrupted, StoppedByController once the state is saved
 */
export async function train(
  config: ConfigInput | string,
  options: RunProgramOptions = {},
): Promise<TrainedRun<PipelineResult> & Pick<ProgramRun, "id" | "folder">> {
  const { id, folder, train } = await openRun(config, options);
  return { ...(await train()), id, folder };
}

/**
 * Opens a new run of a configuration or, with `resume` (an id or a folder), an existing one. This process holds its folder until `train` has ended.
 *
 * @example
 * const run = await openRun({ resume: "demo-1" });
 * await run.train();
 */
export async function openRun(source: RunSource, options: RunProgramOptions = {}): Promise<ProgramRun> {
  const { signal, ...listener } = options;
  const facts = await factsOf(source, listener);
  const hooks = hooksOf(facts.config.control.notify, process.env);
  const run = openFacts({ ...facts, ...listener, hooks, interrupted: () => signal?.aborted ?? false });
  const { id, folder } = run.place;
  return { id, folder, train: () => run.train(runPipeline) };
}

async function factsOf(source: RunSource, { onNote, onProgress }: RunListener): Promise<RunFacts> {
  if (typeof source !== "string" && "resume" in source)
    return knownRun(findRun(source.resume, source.workspace ?? "runs"));
  const { config, warnings }: Loaded =
    typeof source === "string" ? loadConfig(source, [], { command: "run" }) : checkedConfig(source, { command: "run" });
  for (const text of warnings) onNote?.({ kind: "warning", text });
  return newRun({ config, name: config.name ?? "run", onEncoding: onProgress });
}
