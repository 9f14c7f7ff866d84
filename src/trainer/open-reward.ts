/** The reward of a run with its models: the folders they come from, and how they are opened. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Engine, ModelId } from "../engine/engine.ts";
import {
  createReward,
  type FunctionScales,
  type LearnedModel,
  learnedComponents,
  type RewardPipeline,
  readNormalisation,
  type Scored,
} from "../reward/index.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import { responseEnd, type Tokenizer } from "../text/index.ts";
import { UsageError } from "../util/errors.ts";
import { stateOf } from "./model-folder.ts";
import { checkVocabulary, type FrozenFolders } from "./stage-models.ts";

/** Folders of the learned components' models by component name; `own` is the result of the preceding reward stage. */
export function rewardFolders({ rewards }: Pick<PpoConfig, "rewards">, own: string | null): FrozenFolders {
  return Object.fromEntries(
    learnedComponents(rewards).map(({ name, path }) => {
      const folder = path ?? own;
      if (folder === null)
        throw new UsageError(`the reward ${name} has no reward model`, "Give its path, or the run a section reward.");
      return [name, folder];
    }),
  );
}

export interface OpenRewardOptions {
  readonly engine: Engine;
  readonly tokenizer: Tokenizer;
  readonly settings: PpoConfig;
  /** The folders from `rewardFolders`. */
  readonly folders: FrozenFolders;
  /** The frozen reference in the engine, whose answers a comparison needs. */
  readonly reference: ModelId | null;
  readonly seed: number;
  /** The scales of functions, if the run has set them (`readScales`). */
  readonly scales?: FunctionScales | null;
  /** Scores of the component `caller`. */
  readonly handed?: (rows: readonly Scored[]) => number[];
}

/** Loads the reward models; closing the reward releases them. */
export async function openReward(options: OpenRewardOptions): Promise<RewardPipeline> {
  const { engine, tokenizer, settings, folders, reference, seed, scales = null, handed } = options;
  const models: Record<string, LearnedModel> = {};
  for (const [name, folder] of Object.entries(folders)) {
    const { id, config, heads } = await engine.loadModel(stateOf(folder), { role: "reward", frozen: true });
    if (!heads.includes("scalar"))
      throw new UsageError(
        `${folder} holds no reward model: it has no scalar head`,
        "Train one: ballast reward CONFIG.",
      );
    checkVocabulary(`the reward model in ${folder}`, config, tokenizer);
    models[name] = { model: id, normalisation: readNormalisation(folder) };
  }
  const { maxNewTokens, temperature } = settings;
  const lengthOf = (tokens: readonly number[]) => responseEnd(tokenizer, tokens).length;
  const reward = createReward({
    components: settings.rewards,
    safety: settings.safety,
    engine,
    models,
    ...(reference !== null && {
      baseline: { reference, maxNewTokens, stopTokens: tokenizer.stopIds, temperature, seed, lengthOf },
    }),
    microBatch: settings.microBatch,
    scales,
    ...(handed && { handed }),
  });
  return {
    ...reward,
    async close() {
      await reward.close();
      for (const { model } of Object.values(models)) await engine.disposeModel(model);
    },
  };
}

/** Whether a folder's tokenizer writes the same tokens; true if it has none to compare. */
export function sameTokenizer(folder: string, other: string): boolean {
  const read = (path: string) => {
    try {
      const { model, added_tokens, normalizer, pre_tokenizer } = JSON.parse(
        readFileSync(join(path, "tokenizer.json"), "utf8"),
      );
      // Different versions of the library write a merge as a text or as a list.
      const merges = model.merges?.map((merge: string | string[]) => (Array.isArray(merge) ? merge.join(" ") : merge));
      return JSON.stringify([{ ...model, merges }, added_tokens, normalizer, pre_tokenizer]);
    } catch {
      return null;
    }
  };
  const [a, b] = [read(folder), read(other)];
  return a === null || b === null || a === b;
}
