/**
 * A model's folder in Hugging Face's format: model, tokenizer, and the ids that generating and padding need. If the engine keeps its models' states
 * elsewhere, the folder has their URI in place of the model.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Engine, ModelId, ModelReference } from "../engine/engine.ts";
import { schemeOf } from "../settings/model-reference.ts";
import type { Tokenizer } from "../text/index.ts";
import { writeDurably } from "../util/durable.ts";
import { EngineError } from "../util/errors.ts";
import { isAdapterFolder } from "../util/weight-files.ts";

const referenceFile = "model-reference.json";

export interface ModelFolderRequest {
  readonly engine: Engine;
  readonly tokenizer: Tokenizer;
  readonly model: ModelId;
  /** An existing folder; every file in it is flushed to disk. */
  readonly folder: string;
  readonly optimizer?: boolean;
  /** Called with the saved state's reference before anything else is written. */
  readonly onSaved?: (state: ModelReference) => void;
}

/**
 * The reference under which an engine loads a model: what the folder says if the engine kept the model elsewhere, else the folder itself. A URI stays as
 * it is.
 */
export function stateOf(model: ModelReference): ModelReference {
  const path = join(model, referenceFile);
  if (schemeOf(model) !== null || !existsSync(path)) return model;
  return (JSON.parse(readFileSync(path, "utf8")) as { reference: ModelReference }).reference;
}

/**
 * The URIs that a folder, and the folders in it down to `depth`, have in place of models; on request without those in files that a fork has, too, wherever
 * it is: forks link what they take over.
 */
export function statesIn(
  folder: string,
  { depth, unlinked = false }: { readonly depth: number; readonly unlinked?: boolean },
): ModelReference[] {
  const entries = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : [];
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return depth > 0 ? statesIn(path, { depth: depth - 1, unlinked }) : [];
    return entry.name === referenceFile && !(unlinked && statSync(path).nlink > 1) ? [stateOf(folder)] : [];
  });
}

/**
 * Writes the files of the engine and the tokenizer, and the special tokens' ids into `config.json`: without them GPT-2's class would assume 50256 for
 * the first two.
 */
export async function saveModelFolder(request: ModelFolderRequest): Promise<void> {
  const { engine, tokenizer, model, folder, optimizer = false, onSaved } = request;
  const state = await engine.saveModel(model, folder, { optimizer });
  onSaved?.(state);
  if (state !== folder) {
    if (schemeOf(state) === null)
      throw new EngineError(`the engine saved a model in ${state}: it may answer ${folder} or a URI`);
    // First: after a kill only this names the state.
    writeDurably(join(folder, referenceFile), `${JSON.stringify({ reference: state }, null, 2)}\n`);
    tokenizer.save(folder);
    return;
  }
  tokenizer.save(folder);
  // The configuration is the base's.
  if (isAdapterFolder(folder)) return;
  const { bosId, eosId, padId, stopIds } = tokenizer;
  const path = join(folder, "config.json");
  const config = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  const eos = stopIds.length === 1 ? eosId : stopIds;
  // A classifier reads its score at the last token that is not padding: an EOS called padding would be skipped.
  const ids = { bos_token_id: bosId, eos_token_id: eos, pad_token_id: padId === eosId ? null : padId };
  writeDurably(path, `${JSON.stringify({ ...config, ...ids }, null, 2)}\n`);
}
