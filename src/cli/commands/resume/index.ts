/** `ballast resume`: continues a run from its newest checkpoint. */

import { join } from "node:path";
import { checkpointSteps } from "../../../config/checkpoint-names.ts";
import { requirePulled } from "../../../config/config-paths.ts";
import { extended, lengthKeys, lengthOf, type StageProgress } from "../../../config/extend.ts";
import { type Config, parseResolvedConfig, recordedConfig } from "../../../config/index.ts";
import { replaceRunFile, runOrigin } from "../../../config/run-manifest.ts";
import { configOf, findRun, type RunPlace } from "../../../inspect/places.ts";
import { evaluationOf } from "../../../inspect/run-files.ts";
import { operatorName } from "../../../operator/operator-name.ts";
import { checkRun } from "../../../run/known-run.ts";
import { lockRun } from "../../../run/lock.ts";
import { isOutgrown, readFinal } from "../../../trainer/final.ts";
import { type Stage, stages } from "../../../types/records.ts";
import { CheckpointError } from "../../../util/errors.ts";
import { naming, resumeCommand } from "../../find-run.ts";
import { printResult } from "../../result.ts";
import type { Terminal } from "../../terminal.ts";
import { trainRun } from "../../training-session.ts";
import { injectInto } from "./inject-fault.ts";

export interface ResumeOptions {
  /** A run's id or folder. */
  readonly run: string;
  readonly workspace: string;
  readonly allowChangedReward?: boolean;
  readonly allowChangedData?: boolean;
  /** New lengths as key=value, with which a finished run continues. */
  readonly overrides?: readonly string[];
  /** Faults to inject from here on, in addition to those that the run has. */
  readonly inject?: readonly string[];
  readonly wait?: boolean;
  readonly dashboard?: boolean;
  readonly json?: boolean;
  /** Who resumes it; default: the login name. */
  readonly as?: string;
  readonly terminal: Terminal;
}

export async function resume(options: ResumeOptions): Promise<number> {
  const {
    workspace,
    allowChangedReward = false,
    allowChangedData = false,
    overrides = [],
    inject = [],
    wait = false,
    dashboard = false,
    json = false,
    terminal,
  } = options;
  const operator = operatorName(options.as);
  const place = findRun(options.run, workspace);
  await checkRun(place);
  if (overrides.length > 0) await extendRun(place, { overrides, terminal });
  const recorded = await injectInto(place.folder, inject);
  const config = changed(parseResolvedConfig(recorded, place.folder), { allowChangedReward });
  requirePulled(config);
  const run = { config, recorded, place, resume: true };
  const ended = await hasEnded(place, config);
  const session = await trainRun({ run, allowChangedData, wait, dashboard, operator, terminal });
  printResult({ ...session, config, place }, { terminal, json });
  const last = stages.findLast((stage) => config[stage] !== undefined);
  if (ended && last !== undefined) {
    const longer = `${lengthKeys[last]}=${2 * lengthOf(config, last)!}`;
    terminal.note(
      `${place.id} was done already: nothing was left to do. To train it further: ${resumeCommand(place)} ${longer} (it had ${lengthOf(config, last)})`,
    );
  }
  return 0;
}

/** Whether every stage of the run, and its evaluation, is done. */
async function hasEnded(place: RunPlace, config: Config): Promise<boolean> {
  const wanted = stages.filter((stage) => config[stage] !== undefined);
  const origin = runOrigin(place.folder);
  for (const stage of wanted) {
    const final = await readFinal(join(place.folder, stage), origin);
    if (final === null || isOutgrown(final, config)) return false;
  }
  return config.ppo === undefined || evaluationOf(place) !== null;
}

/** Records the new lengths in the run's folder before anything is trained, so that a killed run continues with them. */
async function extendRun(
  place: RunPlace,
  { overrides, terminal }: { readonly overrides: readonly string[]; readonly terminal: Terminal },
): Promise<void> {
  const { folder } = place;
  const lock = lockRun(folder);
  try {
    const before = configOf(place);
    const progress: Partial<Record<Stage, StageProgress>> = {};
    for (const stage of stages) {
      const steps = checkpointSteps(join(folder, stage)).at(-1) ?? null;
      const final = await readFinal(join(folder, stage), runOrigin(folder));
      if (final && final.steps !== steps)
        throw new CheckpointError(
          `${stage} ended after ${final.steps}, and its last checkpoint is gone`,
          "Start a new run from the model in its final folder.",
        );
      if (final || steps !== null)
        progress[stage] = { done: steps ?? 0, finished: final !== null && !isOutgrown(final, before) };
    }
    const { config, notes } = extended(before, overrides, progress);
    for (const note of notes) terminal.note(`${terminal.noteColours.yellow("warning:")} ${note}`);
    if (notes.length === 0 && stages.some((stage) => lengthOf(config, stage) !== lengthOf(before, stage)))
      terminal.note(
        terminal.noteColours.dim(
          "nothing in it depends on its length: it ends in the same bits as a run of this length from the start",
        ),
      );
    await replaceRunFile(folder, "config.json", recordedConfig(config, folder));
  } catch (error) {
    throw naming(error, place);
  } finally {
    lock.release();
  }
}

function changed(config: Config, { allowChangedReward }: { allowChangedReward: boolean }): Config {
  return allowChangedReward && config.ppo ? { ...config, ppo: { ...config.ppo, allowChangedReward } } : config;
}
