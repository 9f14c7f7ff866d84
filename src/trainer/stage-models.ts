/** Models for stages: trunks with fresh heads, and fingerprints of what must not change. */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ModelRole } from "../engine/capabilities.ts";
import type {
  AdapterRequest,
  Engine,
  HeadKind,
  ModelConfig,
  ModelInfo,
  ScalarInit,
  TextIds,
} from "../engine/engine.ts";
import { unrecordedBase } from "../engine/inspect-state.ts";
import type { Config } from "../settings/config-schema.ts";
import { schemeOf } from "../settings/model-reference.ts";
import type { Tokenizer } from "../text/index.ts";
import { CheckpointError, UsageError } from "../util/errors.ts";
import { sha256Of } from "../util/manifest.ts";
import { hashOfWeights } from "../util/weight-files.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { stateOf } from "./model-folder.ts";
import type { StageContext } from "./stage-context.ts";

/** What models must know about the tokenizer whose tokens they read and write. */
export type Vocabulary = Pick<Tokenizer, "vocabularySize" | "smallestVocabulary" | "missingIds">;

/** The ids to which a model may give a probability: those for which the tokenizer has a token. */
export function textIdsOf({ vocabularySize, missingIds }: Vocabulary): TextIds {
  return { below: vocabularySize, missing: missingIds };
}

export interface TrunkRequest {
  readonly tokenizer: Vocabulary;
  readonly heads: readonly HeadKind[];
  readonly scalarInit?: ScalarInit;
  readonly seed: number;
  /** What the model is to the run: its engine, and a word for errors. */
  readonly role?: ModelRole;
  /** Train an adapter in place of all weights. */
  readonly adapter?: AdapterRequest | undefined;
  /** Nothing of it is trained, so that it shares its weights. */
  readonly frozen?: boolean;
}

/** The adapter that a run trains; undefined if it trains all weights. */
export function adapterOf({ lora }: Pick<Config, "lora">): AdapterRequest | undefined {
  if (lora === undefined) return undefined;
  const { rank, alpha, rslora, targets } = lora;
  return { rank, alpha, rslora, ...(targets && { targets }) };
}

/** A trained state of a checkpoint, to go on from: its model, or its adapter on the shared base. */
export function loadTrained(
  { engine, tokenizer, config }: Pick<StageContext, "engine" | "tokenizer" | "config">,
  folder: string,
  { heads, role }: { readonly heads: readonly HeadKind[]; readonly role: ModelRole },
): Promise<ModelInfo> {
  const adapter = adapterOf(config);
  const request = { heads, role, optimizer: true, textIds: textIdsOf(tokenizer), ...(adapter && { adapter }) };
  return engine.loadModel(stateOf(folder), request);
}

/**
 * A folder's model with the requested heads. A language head is the folder's own; a scalar head is always new (docs/PPO.md row 19), even if the
 * folder has one: a reward model's head would be wrong for values.
 * @throws UsageError if it cannot read every token of the tokenizer; CheckpointError if it lacks a language head
 */
export async function loadTrunk(
  engine: Engine,
  folder: string,
  { tokenizer, heads, scalarInit = "zero", seed, role, adapter, frozen }: TrunkRequest,
): Promise<ModelInfo> {
  const textIds = textIdsOf(tokenizer);
  const model = await engine.loadModel(stateOf(folder), {
    ...{ heads, scalarInit, seed, textIds, freshScalar: true },
    ...(role && { role }),
    ...(adapter && { adapter }),
    ...(frozen && { frozen }),
  });
  checkVocabulary(`the ${role ?? "model"} in ${folder}`, model.config, tokenizer);
  return model;
}

/** A folder to load, or the sizes of a model from scratch. */
export type ModelSource = { readonly folder: string } | { readonly sizes: ModelConfig };

/** The single model of a stage with one head: from its checkpoint, or from its source with a fresh optimizer. */
export async function openModel(
  context: StageContext,
  options: {
    readonly source: ModelSource;
    readonly checkpoint: Checkpoint<unknown> | null;
    readonly head: HeadKind;
    readonly scalarInit: ScalarInit;
  },
): Promise<ModelInfo> {
  const { engine, tokenizer, config } = context;
  const { source, checkpoint, head, scalarInit } = options;
  const role = head === "scalar" ? "reward" : "policy";
  if (checkpoint) return loadTrained(context, join(checkpoint.folder, "model"), { heads: [head], role });
  const fresh = { heads: [head], scalarInit, seed: config.seed, role } as const;
  const textIds = textIdsOf(tokenizer);
  if ("folder" in source) return loadTrunk(engine, source.folder, { ...fresh, tokenizer, adapter: adapterOf(config) });
  return engine.createModel({ config: { ...source.sizes, textIds }, ...fresh });
}
/** The sizes of a folder's model, without loading it. */
export async function modelSizes(
  engine: Engine,
  folder: string,
  role: ModelRole = "policy",
): Promise<{ context: number; heads: readonly HeadKind[] }> {
  const { config, heads } = await engine.inspectModel(stateOf(folder), { role });
  return { context: config.context, heads };
}

/** Throws UsageError if a model cannot read every token that the tokenizer writes. */
export function checkVocabulary(what: string, config: ModelConfig, tokenizer: Vocabulary): void {
  if (config.vocabularySize >= tokenizer.smallestVocabulary) return;
  throw new UsageError(
    `${what} has a vocabulary of ${config.vocabularySize} tokens; the tokenizer writes ${tokenizer.smallestVocabulary}`,
    "Give the tokenizer that the model was trained with: the one in its folder.",
  );
}

/** Folders of models that a run reads and never changes, by their role. */
export type FrozenFolders = Readonly<Record<string, string>>;

/** The folders, and those of the bases on which adapters of other programs among them stand. */
function withBases(folders: FrozenFolders): FrozenFolders {
  const bases = Object.entries(folders).flatMap(([name, folder]) => {
    const base = unrecordedBase(folder);
    return base === null ? [] : [[`base of the ${name}`, base] as const];
  });
  return { ...folders, ...Object.fromEntries(bases) };
}

/**
 * A hash of each folder's model, and of its normalisation if it has one; of a model that an engine keeps elsewhere, a hash of its URI; of the base of
 * another program's adapter, which says nothing of it.
 */
export async function fingerprints(folders: FrozenFolders): Promise<Record<string, string>> {
  const result: Record<string, string> = {};
  for (const [name, folder] of Object.entries(withBases(folders))) {
    const hash = createHash("sha256");
    const state = stateOf(folder);
    if (schemeOf(state) !== null) hash.update(state);
    const hashOf = async (file: string) => {
      const path = join(folder, file);
      return existsSync(path) ? sha256Of(path) : null;
    };
    for (const part of [await hashOf("config.json"), await hashOfWeights(folder), await hashOf("reward.json")])
      hash.update(part ?? "absent");
    result[name] = hash.digest("hex");
  }
  return result;
}

/** Throws CheckpointError if a folder is not what it was when the checkpoint was saved. */
export function checkFingerprints(
  folders: FrozenFolders,
  { saved, found }: { saved: Readonly<Record<string, string>>; found: Readonly<Record<string, string>> },
): void {
  for (const [name, folder] of Object.entries(withBases(folders))) {
    if (saved[name] === found[name]) continue;
    // A checkpoint of an earlier version has no hashes of bases.
    if (saved[name] === undefined && !Object.hasOwn(folders, name)) continue;
    throw new CheckpointError(
      `the ${name} in ${folder} is not the one that the run began with`,
      "Restore it: a run whose reference or reward changed half way cannot be compared with anything.",
    );
  }
}
