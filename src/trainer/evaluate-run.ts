/** Measures a run's models: at the end of its pipeline, and whenever `ballast eval` is run. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { runOrigin } from "../config/run-manifest.ts";
import { engineOfRole, needsTemperature } from "../engine/capabilities.ts";
import type { Engine } from "../engine/engine.ts";
import type { Config } from "../settings/config-schema.ts";
import type { Tokenizer } from "../text/index.ts";
import type { Evaluation } from "../types/evaluation.ts";
import { CheckpointError, Interrupted, UsageError } from "../util/errors.ts";
import { verifyFolder } from "./atomic-folder.ts";
import { type EncodedRows, encodeRows } from "./encoded-rows.ts";
import { evaluate } from "./evaluate.ts";
import { readFinal } from "./final.ts";
import { openGold } from "./open-gold.ts";
import { openReward, rewardFolders } from "./open-reward.ts";
import { readScales } from "./reward-scales.ts";
import { openRows, type RunRows } from "./run-rows.ts";
import { openTokenizer } from "./run-tokenizer.ts";
import type { Progress } from "./run-types.ts";
import { modelSizes } from "./stage-models.ts";

export interface EvaluateRunOptions {
  readonly config: Config;
  /** The run's folder. */
  readonly folder: string;
  readonly engine: Engine;
  /** Folder of a model to measure instead of the last one: a checkpoint's policy. */
  readonly model?: string;
  /** Number of samples; by default the configuration's, or PPO's if that has none. */
  readonly samples?: number;
  readonly temperature?: number;
  readonly seed?: number;
  readonly onProgress: (progress: Progress) => void;
  readonly interrupted: () => boolean;
  /** The rows, if the caller has opened them already. */
  readonly rows?: RunRows;
  readonly tokenizer?: Tokenizer;
  readonly encoded?: EncodedRows;
}

/**
 * Measures the policy after PPO against the one it started from, or after only SFT, that model by itself. Throws UsageError if the run has neither
 * stage, CheckpointError if it has not finished one yet.
 */
export async function evaluateRun(options: EvaluateRunOptions): Promise<Evaluation> {
  const { config, folder, engine, interrupted } = options;
  const { evaluation: section, ppo, seed: runSeed } = config;
  const rows = options.rows ?? openRows(config);
  const tokenizer = options.tokenizer ?? (await openTokenizer(config, { folder, texts: rows.texts }));
  const stage = ppo ? "ppo" : "sft";
  if (!ppo && !config.sft)
    throw new UsageError(
      "the run has no policy to evaluate",
      "It needs a section sft or ppo; a reward model by itself answers nothing.",
    );
  const after = options.model ?? (await readFinal(join(folder, stage), runOrigin(folder)))?.folder;
  if (after === undefined)
    throw new CheckpointError(`${stage} of the run in ${folder} is not done`, "Continue it first: ballast resume RUN");

  const start = ppo ? startingPolicy(config, folder) : null;
  const rewardModels = ppo ? rewardFolders(ppo, ownRewardModel(folder)) : {};
  for (const model of new Set([after, start, ppo?.reference, ...Object.values(rewardModels)]))
    if (model) await verifyFolder(model);
  const temperature = options.temperature ?? section.temperature ?? ppo?.temperature ?? 1;
  await checkTemperature(engine, temperature);
  const { seen } = rows.evaluation();
  const { context } = await modelSizes(engine, after);
  const encoded = options.encoded ?? encodeRows({ config, rows, tokenizer });
  const { prompts, maxNewTokens } = encoded.evaluation(context);
  const samples = options.samples ?? section.samples;
  const gold = ppo ? await openGold({ config, rows, engine, tokenizer }) : null;
  const result = await evaluate({
    engine,
    tokenizer,
    objective: rows.objective,
    before: start,
    after,
    reference: ppo ? (ppo.reference ?? start) : null,
    prompts,
    samples,
    maxNewTokens,
    temperature,
    seed: options.seed ?? section.seed,
    openReward: ppo
      ? (reference) =>
          openReward({
            ...{ engine, tokenizer, settings: ppo, folders: rewardModels, reference, seed: runSeed },
            scales: readScales(folder),
          })
      : null,
    check: ppo ? (gold?.gold?.check ?? null) : (rows.task?.check ?? null),
    onProgress: (step, steps, part) => {
      if (interrupted()) throw new Interrupted("interrupted while evaluating; training is done and saved");
      options.onProgress({ stage, step, steps, unit: "sample", message: "evaluating", part, values: {} });
    },
  }).finally(() => gold?.close());
  return { ...result, seenInTraining: seen };
}

/** Throws UsageError if an engine cannot give the log-probabilities that an evaluation at this temperature compares. */
async function checkTemperature(engine: Engine, temperature: number): Promise<void> {
  if (!needsTemperature(temperature)) return;
  const info = await engine.info();
  for (const role of ["policy", "reference"] as const) {
    const { name, capabilities } = engineOfRole(info, role);
    if (capabilities.temperature) continue;
    throw new UsageError(
      `the engine ${name} has no log-probabilities at temperature ${temperature}, at which the models would be measured`,
      "Measure at 1, or at 0, which is greedy: ballast eval RUN --temperature 1",
    );
  }
}

/** The folder that PPO's policy starts from: a named one, the SFT stage's result, or the model from scratch. */
export function startingPolicy({ ppo, sft, model }: Config, folder: string): string {
  return ppo?.policy ?? (sft ? join(folder, "sft", "final") : (model.path ?? join(folder, "ppo", "start")));
}

/** The reward stage's result; null if the run has none. */
export function ownRewardModel(folder: string): string | null {
  const own = join(folder, "reward", "final");
  return existsSync(own) ? own : null;
}
