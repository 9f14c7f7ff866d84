/** The settings that a run uses, without those that a different setting makes ineffective: what a record may show. */
import { lackedSettings } from "../settings/algorithm-table.ts";
import type { Config } from "../settings/config-schema.ts";
import { at } from "../settings/schema-fields.ts";
import { stages } from "../types/records.ts";

/** A copy without settings that change nothing, mostly defaults that nobody asked for. When read again, they get their defaults. */
export function usedSettings(config: Config): object {
  return idleSettings(config).reduce<object>((rest, key) => without(rest, key.split(".")), config);
}

/** Dotted keys of settings and sections that have no effect in this configuration. */
function idleSettings(config: Config): string[] {
  const { tokenizer, demo, sft, reward, ppo, model } = config;
  const idle: string[] = [];
  const unless = (used: boolean, ...keys: string[]) => {
    if (!used) idle.push(...keys);
  };
  unless(tokenizer.kind === "word" || tokenizer.kind === "bpe", "tokenizer.vocabularySize");
  unless(ppo !== undefined, "control");
  for (const stage of stages) unless(config[stage]?.schedule === "step", `${stage}.stepFactor`, `${stage}.stepEvery`);
  unless(sft?.evaluation === undefined, "sft.evaluationShare");
  // The task has its own held-out pairs.
  unless(reward?.evaluation === undefined && !(demo && !reward?.data), "reward.evaluationShare");
  // There is no model whose samples could be scored.
  unless(sft !== undefined || (reward?.from ?? model.path) !== undefined, "reward.normalisationSamples");
  if (!ppo) return idle;
  unless(false, ...lackedSettings(ppo.algorithm).map(({ key }) => `ppo.${key}`));
  unless(ppo.topK > 0 || ppo.topP < 1, "ppo.allowTruncatedSampling");
  unless(
    ppo.rewards.some(({ kind }) => kind === "function"),
    "ppo.allowChangedReward",
  );
  const clips = ppo.policyLoss === "clip";
  unless(clips, ...["clipLow", "clipHigh", "dualClip", "clipSchedule", "clipWide"].map((key) => `ppo.${key}`));
  unless(!clips, "ppo.penalty");
  unless(ppo.clipSchedule === "phases", "ppo.clipWide");
  unless(ppo.kl.in === "loss", "ppo.kl.estimator");
  unless(ppo.kl.target !== undefined, "ppo.kl.targetUnit");
  for (const [name, section] of Object.entries({ kl: ppo.kl, penalty: ppo.penalty })) {
    unless(section.controller === "step", `ppo.${name}.preset`);
    unless(section.controller === "exponential", `ppo.${name}.alpha`);
  }
  return idle;
}

function without(section: object, [key = "", ...rest]: readonly string[]): object {
  const value = at(section, key);
  if (value === undefined) return section;
  if (rest.length === 0) return Object.fromEntries(Object.entries(section).filter(([name]) => name !== key));
  return typeof value === "object" && value !== null ? { ...section, [key]: without(value, rest) } : section;
}
