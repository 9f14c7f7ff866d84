/** Models as stages want them: trunks with fresh heads, and fingerprints of what must not change. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Engine, HeadKind, ModelConfig, ModelInfo, ScalarInit } from "../engine/engine.ts";
import { CheckpointError, UsageError } from "../util/errors.ts";
import { sha256Of } from "../util/manifest.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { StageContext } from "./context.ts";

/**
 * A folder's model with the heads asked for. A language head is the folder's own; a scalar head is always new
 * (PPO.md row 19), even where the folder has one: a reward model's would be a wrong value head.
 */
export async function loadTrunk(
  engine: Engine,
  folder: string,
  { heads, scalarInit, seed }: { heads: readonly HeadKind[]; scalarInit: ScalarInit; seed: number },
): Promise<ModelInfo> {
  // Without a scalar head first, so that the clone has none to keep.
  const loaded = await engine.loadModel(folder, { heads: ["lm"], seed });
  if (!heads.includes("scalar")) return loaded;
  const model = await engine.cloneModel(loaded.id, { heads, scalarInit, seed });
  await engine.disposeModel(loaded.id);
  return model;
}

/** A folder to load, or the sizes of a model from scratch. */
export type ModelSource = { readonly folder: string } | { readonly sizes: ModelConfig };

/** The one model of a stage with one head: as its checkpoint has it, or from its source with a fresh optimizer. */
export async function openModel(
  { engine, tokenizer, config }: StageContext,
  options: {
    readonly source: ModelSource;
    readonly checkpoint: Checkpoint<unknown> | null;
    readonly head: HeadKind;
    readonly scalarInit: ScalarInit;
  },
): Promise<ModelInfo> {
  const { source, checkpoint, head, scalarInit } = options;
  const fresh = { heads: [head], scalarInit, seed: config.seed };
  let model: ModelInfo;
  if (checkpoint) model = await engine.loadModel(join(checkpoint.folder, "model"), { heads: [head], optimizer: true });
  else if ("folder" in source) model = await loadTrunk(engine, source.folder, fresh);
  else model = await engine.createModel({ config: source.sizes, ...fresh });
  checkVocabulary("folder" in source ? `the model in ${source.folder}` : "the model", model.config, tokenizer);
  return model;
}

/** What a folder's model is, without keeping it. */
export async function modelSizes(
  engine: Engine,
  folder: string,
): Promise<{ context: number; heads: readonly HeadKind[] }> {
  const { id, config, heads } = await engine.loadModel(folder);
  await engine.disposeModel(id);
  return { context: config.context, heads };
}

/** Throws UsageError where a model cannot read every token that the tokenizer writes. */
export function checkVocabulary(
  what: string,
  config: ModelConfig,
  tokenizer: { readonly vocabularySize: number },
): void {
  if (config.vocabularySize >= tokenizer.vocabularySize) return;
  throw new UsageError(
    `${what} has a vocabulary of ${config.vocabularySize} tokens; the tokenizer writes ${tokenizer.vocabularySize}`,
    "Give the tokenizer that the model was trained with: the one in its folder.",
  );
}

/** Folders of models that a run reads and never changes, by what they are to it. */
export type FrozenFolders = Readonly<Record<string, string>>;

/** A hash of each folder's model, and of its normalisation where it has one. */
export async function fingerprints(folders: FrozenFolders): Promise<Record<string, string>> {
  const result: Record<string, string> = {};
  for (const [name, folder] of Object.entries(folders)) {
    const hash = createHash("sha256");
    for (const file of ["config.json", "model.safetensors", "reward.json"]) {
      const path = join(folder, file);
      hash.update(existsSync(path) ? await sha256Of(path) : "absent");
    }
    result[name] = hash.digest("hex");
  }
  return result;
}

/** Throws CheckpointError where a folder is not what it was when the checkpoint was saved. */
export function checkFingerprints(
  folders: FrozenFolders,
  { saved, found }: { saved: Readonly<Record<string, string>>; found: Readonly<Record<string, string>> },
): void {
  for (const [name, folder] of Object.entries(folders)) {
    if (saved[name] === found[name]) continue;
    throw new CheckpointError(
      `the ${name} in ${folder} is not the one that the run began with`,
      "Put it back: a run whose reference or reward changed half way cannot be compared with anything.",
    );
  }
}
