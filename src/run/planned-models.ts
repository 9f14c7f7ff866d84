/** The models that a run will load, told from its configuration and the folders that it names: their shapes, and whose weights they share. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Config } from "../config/index.ts";
import type { HeadKind, ModelConfig } from "../engine/engine.ts";
import { inspectState } from "../engine/inspect-state.ts";
import { newAdapter } from "../models/adapter.ts";
import { adapterBase } from "../models/adapter-folder.ts";
import { blockProjections, parameterSpecs, scratchConfig } from "../models/family.ts";
import { readModelConfig } from "../models/hf-folder.ts";
import { sizeOf } from "../models/safetensors.ts";
import { learnedComponents } from "../reward/index.ts";
import { stateOf } from "../trainer/model-folder.ts";
import { adapterOf } from "../trainer/stage-models.ts";
import type { Stage } from "../types/records.ts";
import { identityOfWeights, isAdapterFolder } from "../util/weight-files.ts";

export interface PlannedModel {
  /** With its adapter, if it has one. */
  readonly config: ModelConfig;
  /** Which weights it has, below its adapter if it has one: models that leave them as they are share one copy. */
  readonly weights: string;
}

/** The models of an online stage. */
export interface PlannedModels {
  readonly policy: PlannedModel;
  readonly reference: PlannedModel;
  /** A separate critic, if the algorithm has one. */
  readonly critic: PlannedModel;
  readonly rewards: readonly (PlannedModel & { readonly name: string })[];
}

/** The model that a stage trains; one from scratch has `vocabularySize` rows. Throws a CheckpointError for a folder that cannot be read. */
export function trainedModel(config: Config, vocabularySize: number, stage: Stage): PlannedModel {
  return trainedOn(startOf(config, vocabularySize, stage), config, `trained by ${stage}`);
}

/** The models of the stage `ppo`. Throws a CheckpointError for a folder that cannot be read. */
export function onlineModels(config: Config, vocabularySize: number): PlannedModels {
  const ppo = config.ppo!;
  const start = startOf(config, vocabularySize, "ppo");
  const own = config.reward && trainedModel(config, vocabularySize, "reward");
  const rewards = learnedComponents(ppo.rewards).map(({ name, path }) => ({
    name,
    ...(inFolder(path) ?? own ?? trainedOn(start, config, `reward model ${name}`)),
  }));
  const below = inFolder(ppo.critic) ?? own ?? rewards[0] ?? start;
  return {
    policy: trainedOn(start, config, "policy"),
    reference: inFolder(ppo.reference) ?? start,
    critic: trainedOn(below, config, "critic"),
    rewards,
  };
}

/** The parameters that frozen models add to a run one after the other: a copy of weights counts once. */
export class FrozenParameters {
  readonly #held = new Set<string>();

  /** Parameters of the weights below a model's adapter; 0 if they are held already, or if it has none. */
  below(model: PlannedModel): number {
    return model.config.adapter === undefined ? 0 : this.#add(model, ["lm"]);
  }

  /** Parameters of a model that is not trained. */
  of(model: PlannedModel, heads: readonly HeadKind[]): number {
    const { config } = model;
    if (config.adapter === undefined) return this.#add(model, heads);
    return this.below(model) + countParameters(config, heads, "trained");
  }

  #add({ config, weights }: PlannedModel, heads: readonly HeadKind[]): number {
    if (this.#held.has(weights)) return 0;
    this.#held.add(weights);
    return countParameters(withoutAdapter(config), heads);
  }
}

/** Parameters of a model: all, or those that are trained. */
export function countParameters(
  config: ModelConfig,
  heads: readonly HeadKind[],
  which: "all" | "trained" = "all",
): number {
  return parameterSpecs(config, heads)
    .filter(({ trainable }) => which === "all" || trainable)
    .reduce((total, { shape }) => total + sizeOf(shape), 0);
}

export function withoutAdapter({ adapter: _, ...whole }: ModelConfig): ModelConfig {
  return whole;
}

/** What a stage starts from: a folder, the result of SFT, or a model from scratch. */
function startOf(config: Config, vocabularySize: number, stage: Stage): PlannedModel {
  const { model, sft, reward, ppo } = config;
  const own = { sft: undefined, reward: reward?.from, ppo: ppo?.policy }[stage];
  if (own === undefined && sft && stage !== "sft") {
    // SFT's result is a whole model.
    return { config: withoutAdapter(startOf(config, vocabularySize, "sft").config), weights: "result of sft" };
  }
  const scratch = scratchConfig({ ...model, vocabularySize });
  return inFolder(own ?? model.path) ?? { config: scratch, weights: "model from scratch" };
}

/** A start as it is trained: with its own adapter or a new one if the run trains adapters, else merged, with weights of its own. */
function trainedOn({ config: start, weights }: PlannedModel, config: Config, name: string): PlannedModel {
  const request = adapterOf(config);
  if (request === undefined) return { config: withoutAdapter(start), weights: name };
  return { config: { ...start, adapter: start.adapter ?? newAdapter(blockProjections(start), request) }, weights };
}

/** The model in a folder; undefined if there is none yet, or an engine keeps it elsewhere. */
function inFolder(named: string | undefined): PlannedModel | undefined {
  if (named === undefined) return undefined;
  const folder = stateOf(named);
  if (!existsSync(folder)) return undefined;
  const adapts = isAdapterFolder(folder);
  const place = adapts ? adapterBase(folder) : folder;
  // A whole model's sizes are in config.json: a plan needs no weights.
  const config = adapts ? inspectState(folder).config : readModelConfig(folder);
  return { config, weights: identityOfWeights(place) ?? resolve(place) };
}
