/** Settings that an operator may change while a stage runs: which they are, and how a change is checked and applied. */
import type { z } from "zod";
import { type AlgorithmName, lackedSettings } from "../settings/algorithm-table.ts";
import { type Config, ppoSchema, rewardModelSchema, sftSchema } from "../settings/config-schema.ts";
import { liveSettingsOf } from "../settings/live-settings.ts";
import { at, expectation, schemaAt } from "../settings/schema-fields.ts";
import { type Stage, stages } from "../types/records.ts";
import { UsageError } from "../util/errors.ts";
import { nearest } from "../util/nearest.ts";
import { checkConfig } from "./checks.ts";

/** One change of one setting. */
export interface Change {
  /** The key, including its stage: `ppo.kl.coef`. */
  readonly key: string;
  readonly value: number | string | boolean | null;
}

const sectionSchemas: Record<Stage, z.ZodType> = { sft: sftSchema, reward: rewardModelSchema, ppo: ppoSchema };

/** Subsections of a stage that hold hyperparameters. */
const nested = ["kl", "penalty", "layerRates", "slowCritic"];

/** The stage that a key belongs to; null if it belongs to none. */
export function stageOfKey(key: string): Stage | null {
  return stages.find((stage) => key.startsWith(`${stage}.`)) ?? null;
}

/**
 * A section with one setting changed, checked by itself and against the rest of the configuration. Throws UsageError, in the
 * configuration's words, for an invalid key or value.
 */
export function applyChange<Section extends object>(options: {
  readonly config: Config;
  readonly stage: Stage;
  /** The stage's settings in force. */
  readonly section: Section;
  readonly change: Change;
}): Section {
  const { config, stage, section, change } = options;
  const { key, value } = change;
  const path = key.split(".");
  const live = liveSettingsOf(stage, section);
  if (path[0] !== stage || !live.includes(path.slice(1).join("."))) {
    const all = live.map((name) => `${stage}.${name}`);
    const near = nearest(key, all);
    throw new UsageError(
      `${key} cannot be changed while ${stage} runs`,
      near === undefined ? `These can: ${all.join(", ")}.` : `Did you mean ${near}?`,
    );
  }
  const parsed = sectionSchemas[stage].safeParse(withSetting(section, path.slice(1), value));
  if (!parsed.success) {
    const schema = schemaAt(path, config);
    throw new UsageError(`${key}: expected ${schema ? expectation(schema) : "a different value"}, found ${value}`);
  }
  const mistakes = (settings: unknown) =>
    checkConfig({ ...config, [stage]: settings }, (path) => path === key).errors.map(({ message }) => message);
  const before = mistakes(section);
  const made = mistakes(parsed.data).filter((message) => !before.includes(message));
  if (made.length > 0) throw new UsageError(made.join("; "));
  return parsed.data as Section;
}

/** The value of the setting with this key; undefined if it is not set. */
export function settingOf(stage: Stage, section: object, key: string): unknown {
  return key
    .slice(stage.length + 1)
    .split(".")
    .reduce<unknown>((value, part) => at(value, part), section);
}

/** Every hyperparameter of a section by dotted key: numbers, words and switches, but not data or lists. */
export function hyperparameters(stage: Stage, section: object): Change[] {
  const { algorithm } = section as { readonly algorithm?: AlgorithmName };
  const lacked = algorithm === undefined ? [] : lackedSettings(algorithm).map(({ key }) => key);
  return Object.entries(section).flatMap(([name, value]) => {
    if (lacked.includes(name)) return [];
    const key = `${stage}.${name}`;
    if (value === null || ["number", "string", "boolean"].includes(typeof value)) return [{ key, value }];
    if (!nested.includes(name) || value === undefined) return [];
    return hyperparameters(stage, value).map((x) => ({ ...x, key: x.key.replace(".", `.${name}.`) }));
  });
}

/** A copy of a section with one value set, by the parts of its key. */
export function withSetting(section: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  return key === undefined ? value : { ...(section as object), [key]: withSetting(at(section, key), rest, value) };
}
