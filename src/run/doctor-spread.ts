/** Loads the policy that PPO would start from and measures how it answers a few prompts, and how the reward scores the answers. */
import type { Config, PpoConfig } from "../config/index.ts";
import type { PolicySpread, RewardFacts } from "../control/doctor/index.ts";
import type { PromptRow } from "../data/index.ts";
import { checkCapabilities } from "../engine/capabilities.ts";
import { openEngine } from "../engine/open-engine.ts";
import { mean, repeatAgreement } from "../rl/index.ts";
import type { Tokenizer } from "../text/index.ts";
import { type OpenRewardOptions, openReward, rewardFolders } from "../trainer/open-reward.ts";
import { measureReward } from "../trainer/reward-preflight.ts";
import { encodePrompts, type Rollout, rollOut, scoredRows } from "../trainer/rollout.ts";
import { loadTrunk } from "../trainer/stage-models.ts";
import { BallastError } from "../util/errors.ts";

const prompts = 16;
const samplesOfEach = 4;

export interface MeasureOptions {
  readonly config: Config;
  readonly ppo: PpoConfig;
  readonly folder: string;
  readonly tokenizer: Tokenizer;
  readonly rows: readonly PromptRow[];
}

/** Measures the policy's spread, null if no prompt fits the model, and the reward, null if it has no model yet or fails: the run would say why. */
export async function measureSpread({ config, ppo, folder, tokenizer, rows }: MeasureOptions): Promise<{
  readonly spread: PolicySpread | null;
  readonly reward: RewardFacts | null;
  readonly parameters: number;
}> {
  const engine = await openEngine({ ...config.engine, threads: config.threads, base: config.model.path });
  try {
    const info = await engine.info();
    // A run with these settings would be refused in the same words.
    checkCapabilities(info, config);
    const { capabilities } = info;
    const {
      id: model,
      config: sizes,
      parameters,
    } = await loadTrunk(engine, folder, {
      tokenizer,
      heads: ["lm"],
      seed: config.seed,
      role: "policy",
      frozen: true,
    });
    const { maxNewTokens, temperature, topK, topP, microBatch } = ppo;
    const { context } = sizes;
    const every = Math.max(1, Math.floor(rows.length / prompts));
    const some = rows.filter((_, i) => i % every === 0).slice(0, prompts);
    const encoded = encodePrompts(some, { tokenizer, context, maxNewTokens, longPrompts: "truncate" });
    if (encoded.length === 0) return { spread: null, reward: null, parameters };
    const rollout = await rollOut({
      engine,
      tokenizer,
      model,
      prompts: encoded.flatMap((prompt) => Array.from({ length: samplesOfEach }, () => prompt)),
      ...{ maxNewTokens, temperature, topK, topP },
      seed: config.seed,
      onProgress: () => {},
    });
    const { sequences, responses_B_T, endsWithEos } = rollout;
    const outputs: ("logprobs" | "entropy")[] = capabilities.entropy ? ["entropy"] : ["logprobs"];
    const { entropy, logprobs } = await engine.forward(model, { sequences, temperature, outputs }, { microBatch });
    const promptTokens = rollout.prompts.map(({ tokens }) => tokens);
    const options = { engine, tokenizer, settings: ppo, reference: model, seed: config.seed };
    return {
      parameters,
      reward: await rewardOf(rollout, options),
      spread: {
        samples: responses_B_T.length,
        // Without entropies it is estimated: the mean of -log p over what was sampled.
        entropyMean: capabilities.entropy ? mean(entropy.flat()) : -mean(logprobs.flat()),
        vocabularySize: sizes.vocabularySize,
        eosShare: mean(endsWithEos.map(Number)),
        agreement: repeatAgreement(promptTokens, responses_B_T),
        lengthMean: mean(responses_B_T.map((tokens) => tokens.length)),
      },
    };
  } finally {
    await engine.close();
  }
}

async function rewardOf(rollout: Rollout, options: Omit<OpenRewardOptions, "folders">): Promise<RewardFacts | null> {
  const { settings } = options;
  // Scores of a program's own loop come from there.
  if (settings.rewards.some(({ kind }) => kind === "caller")) return null;
  try {
    const reward = await openReward({ ...options, folders: rewardFolders(settings, null) });
    try {
      if (settings.rewardSamples > 0) await reward.scaling?.scaleOn(scoredRows(rollout));
      return await measureReward(reward, { rollout, settings });
    } finally {
      await reward.close();
    }
  } catch (error) {
    if (error instanceof BallastError) return null;
    throw error;
  }
}
