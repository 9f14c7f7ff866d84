/** A run whose responses and scores come from a program, batch by batch: only the online stage, with everything around it. */

import { trainOnline } from "../algorithms/online-stage.ts";
import { modelFoldersOf } from "../config/config-paths.ts";
import { sealRun } from "../config/run-manifest.ts";
import { checkCapabilities } from "../engine/capabilities.ts";
import type { Scored } from "../reward/index.ts";
import { removeTemporary, verifyFolder } from "../trainer/atomic-folder.ts";
import { checkModels } from "../trainer/check-models.ts";
import { startingPolicy } from "../trainer/evaluate-run.ts";
import type { Batches } from "../trainer/online-run.ts";
import { openReward, rewardFolders } from "../trainer/open-reward.ts";
import type { Prompt } from "../trainer/rollout.ts";
import { openTokenizer } from "../trainer/run-tokenizer.ts";
import type { StageResult } from "../trainer/run-types.ts";
import { contextOf, type RunOptions, runRules } from "./pipeline.ts";

export interface BatchSource extends Batches {
  /** Prompts for probes, the same ones whenever the run is opened; may be filled until the first batch is handed over. */
  readonly prompts: readonly Prompt[];
  /** The program's scores of the responses that it handed over. */
  scores(rows: readonly Scored[]): number[];
}

/** Runs the online stage, like `runPipeline` for a whole run. Throws Interrupted once the state is saved. */
export async function runBatches(options: RunOptions, source: BatchSource): Promise<StageResult> {
  const { config, folder, recorder, engine, resume } = options;
  recorder.state("running");
  for (const model of modelFoldersOf(config)) await verifyFolder(model);
  if (resume) await removeTemporary(folder);
  const tokenizer = await openTokenizer(config, { folder, texts: () => [] });
  const origin = await sealRun(folder, { begins: !resume });
  checkCapabilities(await engine.info(), config);
  await checkModels({ engine, config, tokenizer, folder });
  const settings = config.ppo!;
  const policy = startingPolicy(config, folder);
  const reference = settings.reference ?? policy;
  const folders = rewardFolders(settings, null);
  const handed = (rows: readonly Scored[]) => source.scores(rows);
  const context = contextOf({ ...options, tokenizer, origin }, "ppo");
  return trainOnline(context, {
    settings,
    sources: { policy, reference, critic: settings.critic ?? policy },
    frozen: { reference, ...folders },
    prompts: source.prompts,
    batches: source,
    openReward: ({ reference: model }) =>
      openReward({ engine, tokenizer, settings, folders, reference: model, seed: config.seed, handed }),
    rules: await runRules(options, context),
    measuring: { gold: null, monitor: [], pairs: [], ratings: [] },
  });
}
