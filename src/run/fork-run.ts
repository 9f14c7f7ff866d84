/** A fork: a new run that continues from the middle of an earlier one, with other settings or other rules from there on. */
import { cpSync, existsSync, linkSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { checkpointName, checkpointSteps } from "../config/checkpoint-names.ts";
import type { Config } from "../config/index.ts";
import type { Change } from "../config/live-changes.ts";
import { hyperparameters, settingOf } from "../config/live-changes.ts";
import { type RunOrigin, sealRun } from "../config/run-manifest.ts";
import type { Rule } from "../control/rules/rule.ts";
import { configOf, type RunPlace } from "../inspect/places.ts";
import { databaseOf, type Store, withStore } from "../store/index.ts";
import { readFolder, writeFolder } from "../trainer/atomic-folder.ts";
import type { TrainerState } from "../trainer/checkpoint.ts";
import type { OnlineState } from "../trainer/online-state.ts";
import { hold } from "../trainer/steering.ts";
import { writeDurably } from "../util/durable.ts";
import { CheckpointError } from "../util/errors.ts";
import { recordRun } from "./new-run.ts";
import type { RunFacts } from "./open-run.ts";

export interface ForkOptions {
  /** The earlier run; its configuration has only PPO. */
  readonly from: RunPlace;
  /** The fork continues from the newest checkpoint with at most so many iterations done. */
  readonly at: number;
  /** The fork's configuration: the earlier run's seed, and whatever differs from there on. */
  readonly config: Config;
  readonly name: string;
  /** The fork's rules; by default those that its configuration gives. */
  readonly rules?: readonly Rule[];
}

export interface Fork extends RunFacts {
  /** Iterations that the fork takes over. */
  readonly step: number;
}

/**
 * Makes the fork's folder and record: checkpoints, metrics, events, settings and what the controller was shown are copied up to the fork, stored
 * samples are not. Opened like any resumed run it ends in the same bits as a run that had the later settings in force from that iteration on.
 * Throws CheckpointError if the earlier run has no checkpoint so early.
 */
export async function forkRun({ from, at, config, name, rules }: ForkOptions): Promise<Fork> {
  const steps = checkpointSteps(join(from.folder, "ppo")).filter((one) => one <= at);
  const step = steps.at(-1);
  if (step === undefined)
    throw new CheckpointError(
      `the run ${from.id} has no checkpoint of iteration ${at} or before`,
      "Fork from a run with a smaller ppo.checkpointEvery, and a larger ppo.keep.",
    );
  const before = configOf(from);
  const facts = recordRun({ config: { ...config, ppo: { ...config.ppo!, allowChangedReward: true } }, name });
  const { folder } = facts.place;
  cpSync(join(from.folder, "tokenizer"), join(folder, "tokenizer"), { recursive: true });
  const same = JSON.stringify(before.ppo!.rewards) === JSON.stringify(facts.config.ppo!.rewards);
  const scales = join(from.folder, "reward-scales.json");
  if (same && existsSync(scales)) cpSync(scales, join(folder, "reward-scales.json"));
  if (rules) writeDurably(join(folder, "rules.json"), `${JSON.stringify(rules, null, 2)}\n`);
  const origin = await sealRun(folder, { begins: true });
  const source = (one: number) => join(from.folder, "ppo", checkpointName(one));
  const newest = (await readFolder(source(step))) as TrainerState<OnlineState>;
  const changes = changesBetween(before, facts.config);
  const own = structuredClone(newest.own);
  for (const { key, value } of changes) hold(own, { key, value });
  // A different reward is examined where it begins.
  if (!same) own.examineAt = step;
  const forked = { run: from.id, changes };
  await copyCheckpoint(source(step), join(folder, "ppo", checkpointName(step)), { ...newest, own, origin, forked });
  // Rollbacks go to the healthy ones.
  for (const one of newest.healthy.filter((healthy) => healthy !== step && steps.includes(healthy))) {
    const state = (await readFolder(source(one))) as TrainerState<OnlineState>;
    await copyCheckpoint(source(one), join(folder, "ppo", checkpointName(one)), { ...state, origin });
  }
  withStore(from.workspace, (store) => copyRecord(store, { from, to: facts, step }), {});
  return { ...facts, resume: true, step };
}

/** Hyperparameters that differ between two configurations. */
function changesBetween(before: Config, after: Config): (Change & { readonly before: Change["value"] })[] {
  return hyperparameters("ppo", after.ppo!).flatMap(({ key, value }) => {
    const earlier = (settingOf("ppo", before.ppo!, key) ?? null) as Change["value"];
    return earlier === value || key === "ppo.allowChangedReward" ? [] : [{ key, value, before: earlier }];
  });
}

/** Weights are linked: nobody changes a file of a checkpoint. */
async function copyCheckpoint(
  from: string,
  to: string,
  state: TrainerState<OnlineState> & { readonly origin: RunOrigin },
): Promise<void> {
  mkdirSync(join(to, ".."), { recursive: true });
  await writeFolder({
    folder: to,
    state,
    write: async (temporary) => {
      for (const model of readdirSync(from, { withFileTypes: true })) {
        if (!model.isDirectory()) continue;
        mkdirSync(join(temporary, model.name));
        for (const file of readdirSync(join(from, model.name))) {
          const [source, target] = [join(from, model.name, file), join(temporary, model.name, file)];
          try {
            linkSync(source, target);
          } catch {
            cpSync(source, target, { recursive: true });
          }
        }
      }
    },
  });
}

/** Copies what the earlier run recorded of the iterations that the fork takes over, as the fork's first attempt. */
function copyRecord(
  store: Store,
  { from, to, step }: { readonly from: RunPlace; readonly to: RunFacts; readonly step: number },
): void {
  const { id, folder, workspace } = to.place;
  if (!existsSync(databaseOf(workspace))) throw new CheckpointError(`${workspace} has no database`);
  const known = store.run(from.id)!;
  const { objective, seed } = to.config;
  store.createRun({ id, objective, seed, folder, config: to.recorded, machine: known.machine, createdAt: Date.now() });
  const recorder = store.recorder(id, store.startAttempt(id));
  try {
    const all = { limit: Number.MAX_SAFE_INTEGER, current: true };
    const taken = ({ stage, iteration }: { readonly stage: string; readonly iteration: number }) =>
      stage === "ppo" && iteration < step;
    for (let iteration = 0; iteration < step; iteration++)
      recorder.metrics("ppo", iteration, store.values(from.id, "ppo", iteration));
    for (const { kind, stage, iteration, message, data } of store.events(from.id, all).rows.filter(taken))
      recorder.event({ kind, stage, iteration, message, ...(data && { data }) });
    for (const { stage, iteration, key, before, value, cause } of store.settings(from.id, all).rows.filter(taken))
      recorder.setting({ stage, iteration, key, before, value, cause });
    for (const { seq: _, attempt: __, superseded: ___, ...shown } of store
      .consultations(from.id, all)
      .rows.filter(taken))
      recorder.consultation(shown);
    recorder.commit();
    recorder.state("interrupted");
  } finally {
    recorder.close();
  }
}
