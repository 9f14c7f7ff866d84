/** Records of an online run besides its signals: settings in force, and samples to read. */

import { klRows, sum } from "../rl/index.ts";
import { lackedSettings } from "../settings/algorithm-table.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import type { RolloutRecord } from "../signals/index.ts";
import type { Tokenizer } from "../text/index.ts";
import type { MetricValues, SampleRecord } from "../types/records.ts";
import { random } from "../util/random.ts";
import { promptText, type Rollout } from "./rollout.ts";

/** Every number that steers the iteration; the KL coefficient is among the signals. A setting that is off is absent. */
export function settingsInForce(
  configured: PpoConfig,
  {
    policyRate,
    criticRate,
    valueUpdates,
  }: { policyRate: number; criticRate: number | null; valueUpdates: number | null },
): MetricValues {
  const lacked = lackedSettings(configured.algorithm).map(({ key }) => key);
  const settings: Partial<PpoConfig> = Object.fromEntries(
    Object.entries(configured).filter(([key]) => !lacked.includes(key)),
  );
  const flag = (on: boolean | undefined) => (on === undefined ? undefined : Number(on));
  const all: Record<string, number | null | undefined> = {
    policy_learning_rate: policyRate,
    critic_learning_rate: criticRate,
    value_updates: valueUpdates,
    sequences: settings.sequences,
    responses_per_prompt: settings.responsesPerPrompt,
    max_new_tokens: settings.maxNewTokens,
    top_k: settings.topK,
    top_p: settings.topP,
    beta1: settings.beta1,
    beta2: settings.beta2,
    epsilon: settings.epsilon,
    whiten_advantages: flag(settings.whitenAdvantages),
    whiten_rewards: flag(settings.whitenRewards),
    minibatches: settings.minibatches,
    epochs: settings.epochs,
    temperature: settings.temperature,
    clip_low: settings.clipLow,
    clip_high: settings.clipHigh,
    dual_clip: settings.dualClip,
    value_clip: settings.valueClip,
    value_coef: settings.valueCoef,
    entropy_coef: settings.entropyCoef,
    gamma: settings.gamma,
    lambda: settings.lambda,
    max_grad_norm: settings.maxGradNorm,
    weight_decay: settings.weightDecay,
    score_clip: settings.scoreClip,
    missing_eos_penalty: settings.missingEosPenalty,
    stop_epochs_at_kl: settings.stopEpochsAtKl,
  };
  return Object.fromEntries(
    Object.entries(all).flatMap(([key, value]) => (typeof value === "number" ? [[`settings/${key}`, value]] : [])),
  );
}

/** A few random responses, and the one with the lowest score. */
export function chooseSamples(options: {
  readonly rollout: Rollout;
  readonly record: RolloutRecord;
  readonly tokenizer: Tokenizer;
  readonly count: number;
  readonly seed: number;
  readonly iteration: number;
}): SampleRecord[] {
  const { rollout, record, tokenizer, count, seed, iteration } = options;
  const { scores, components } = record;
  const worst = scores.reduce((lowest, score, b) => (score < scores[lowest]! ? b : lowest), 0);
  const others = scores.map((_, b) => b).filter((b) => b !== worst);
  const chosen = random(seed, "samples", iteration)
    .shuffle(others)
    .slice(0, count)
    .sort((a, b) => a - b);
  return [...chosen, worst].map((b) => ({
    index: b,
    prompt: promptText(rollout.prompts[b]!.row),
    response: rollout.texts[b]!,
    score: scores[b]!,
    components: Object.fromEntries(Object.entries(components).map(([name, values]) => [name, values[b]!])),
    kl: sum(klRows([record.logprobs[b]!], [record.refLogprobs[b]!], "k1")[0]!),
    stopReason: rollout.stopReasons[b]!,
    tokens: rollout.responses_B_T[b]!.map((token) => tokenizer.tokenText(token)),
    logprobs: record.logprobs[b]!,
    refLogprobs: record.refLogprobs[b]!,
    values: record.values?.[b] ?? [],
    advantages: record.advantages[b]!,
    reason: b === worst ? "worst" : "chosen",
  }));
}

/** The responses with the lowest scores, lowest first: what to read first. */
export function worstSamples(
  rollout: Rollout,
  scores: readonly number[],
  count: number,
): { prompt: string; response: string; score: number }[] {
  const order = scores.map((_, b) => b).sort((a, b) => scores[a]! - scores[b]! || a - b);
  return order.slice(0, count).map((b) => ({
    prompt: promptText(rollout.prompts[b]!.row),
    response: rollout.texts[b]!,
    score: scores[b]!,
  }));
}
