/** What a model's folder holds: a whole model or an adapter on its base. */
import {
  adapterBase,
  checkBaseWeights,
  type OpenedAdapter,
  openAdapterFolder,
  recordsBase,
} from "../models/adapter-folder.ts";
import { inspectModelFolder, openModelFolder } from "../models/hf-folder.ts";
import { hashOnce } from "../models/weights-hash.ts";
import { identityOfWeights, isAdapterFolder } from "../util/weight-files.ts";
import type { StateInfo } from "./engine.ts";

/**
 * The content of a folder. A whole model's numbers are not read; those of the base of an adapter that records its weights are, once for the same files.
 * Throws a CheckpointError for what does not fit, such as an adapter of another base.
 */
export function inspectState(folder: string): StateInfo {
  const adapter = isAdapterFolder(folder) ? openAdapter(folder) : null;
  const { config, heads } = adapter ?? inspectModelFolder(folder);
  const dropout = adapter?.dropout ?? 0;
  const notes: string[] = [];
  if (dropout > 0)
    notes.push(`the adapter in ${folder} was trained with lora_dropout ${dropout}, and is used and trained on without`);
  const { max_position_embeddings: positions, sliding_window: window } = config.options ?? {};
  if (positions !== undefined)
    notes.push(
      `the model in ${folder} has max_position_embeddings ${positions}, and is read up to its sliding_window of ${window} tokens: beyond it, every layer would lose sight of a text's start`,
    );
  return { config, heads, ...(notes.length > 0 && { notes }) };
}

function openAdapter(folder: string): OpenedAdapter {
  const place = adapterBase(folder);
  const base = openModelFolder(place);
  const adapter = openAdapterFolder(folder, base);
  checkBaseWeights(folder, { adapter, place, hash: () => hashOnce(identityOfWeights(place), base) });
  return adapter;
}

/**
 * The base of an adapter that does not record its weights, as PEFT's do not: only the base's own files tell whether it is still the same. Null for every
 * other folder.
 */
export function unrecordedBase(folder: string): string | null {
  return isAdapterFolder(folder) && !recordsBase(folder) ? adapterBase(folder) : null;
}
