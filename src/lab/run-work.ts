/** A whole run of a configuration as a cell: trained to its end, and continued where an earlier call was cut. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, recordedConfig } from "../config/index.ts";
import { completed } from "../run/completed-config.ts";
import { knownRun } from "../run/known-run.ts";
import { newRun } from "../run/new-run.ts";
import { openRun, type RunFacts } from "../run/open-run.ts";
import { type PipelineResult, runPipeline } from "../run/pipeline.ts";
import { databaseOf, withStore } from "../store/index.ts";
import type { Evaluation } from "../types/evaluation.ts";
import { writeDurably } from "../util/durable.ts";
import { StoppedByController } from "../util/errors.ts";
import { clearRun } from "./clear-run.ts";
import { listenerOf } from "./listener.ts";
import { type StageModel, startingFrom } from "./stage-work.ts";
import type { TrialInput } from "./trial-work.ts";
import type { Tools } from "./work-tools.ts";

export interface RunInput {
  readonly config: Config;
  /** The cells that trained the models it starts from; null for those that the configuration trains or names itself. */
  readonly start: TrialInput["start"];
  /** The cell that trained the model to which the KL is measured; without it, the model that the policy starts from. */
  readonly reference?: string;
  /** Hash of the files that it reads (`hashInputs`). */
  readonly files: string;
}

export interface WholeRun {
  readonly run: string;
  /** Means after training by figure: those of the evaluation, or without PPO the last held-out measurements. */
  readonly figures: Readonly<Record<string, number>>;
  /** Names of the figures that are shares, from 0 to 1. */
  readonly shares: readonly string[];
  /** Where the controller stopped the run, in words; null if it ran to its end. */
  readonly stopped: string | null;
}

/** Trains the run. Throws Interrupted once its state is saved. */
export async function trainWhole(
  { config: given, start, reference, files }: RunInput,
  tools: Tools,
): Promise<WholeRun> {
  const { folder: workspace, name, results } = tools;
  const modelOf = (cell: string | null) => (cell === null ? null : (results[cell] as StageModel).model);
  const models = { policy: modelOf(start.policy), rewardModel: modelOf(start.reward) };
  const config = {
    ...(given.ppo && (models.policy ?? models.rewardModel) !== null ? startingFrom(given, models) : given),
    workspace,
  };
  if (reference !== undefined) config.ppo = { ...config.ppo!, reference: modelOf(reference)! };
  const facts = await factsOf({ config, files }, tools);
  try {
    const { result } = await openRun({ ...facts, ...listenerOf(tools) }).train(runPipeline);
    return { run: facts.place.id, ...figuresOf(result), stopped: null };
  } catch (error) {
    if (!(error instanceof StoppedByController)) throw error;
    // Nobody is there to decide: what it was measured at last stands for it.
    const latest = withStore(workspace, (store) => store.latest(`${name}-1`, "ppo"));
    const figures = Object.fromEntries(
      latest.flatMap(({ key, value }) => (key === "reward/score_mean" ? [["reward", value]] : [])),
    );
    return { run: facts.place.id, figures, shares: [], stopped: error.message };
  }
}

/** The run as an earlier call left it, if its configuration and the files that it reads are still the same; else a new one. */
async function factsOf(
  { config, files }: Pick<RunInput, "config" | "files">,
  { folder: workspace, name }: Tools,
): Promise<RunFacts> {
  const place = { id: `${name}-1`, folder: join(workspace, `${name}-1`), workspace };
  const path = join(place.folder, "config.json");
  const began = join(workspace, "cells", `${name}.files`);
  if (existsSync(path)) {
    const same =
      readFileSync(path, "utf8") === recordedConfig(completed(config), place.folder) &&
      existsSync(began) &&
      readFileSync(began, "utf8") === files;
    const known =
      existsSync(databaseOf(workspace)) && withStore(workspace, (store) => store.run(place.id) !== undefined);
    if (same && known) return knownRun(place);
    clearRun(place);
  }
  const facts = newRun({ config, name });
  writeDurably(began, files);
  return facts;
}

function figuresOf({ evaluation, stages }: PipelineResult): Pick<WholeRun, "figures" | "shares"> {
  if (evaluation !== null) return { figures: meansOf(evaluation), shares: evaluation.shares };
  const values = stages.at(-1)?.values ?? {};
  const kept = Object.entries(values).filter(([key]) =>
    /heldout_(loss|accuracy)$|^(sft|reward_model)\/loss$/.test(key),
  );
  return { figures: Object.fromEntries(kept), shares: [] };
}

function meansOf({ after, shares }: Evaluation): Record<string, number> {
  const wanted = [...shares, "reward", "klK3Token", "length"];
  return Object.fromEntries(
    wanted.flatMap((name) => {
      const figure = after.figures[name];
      return figure === undefined ? [] : [[name, figure.mean]];
    }),
  );
}
