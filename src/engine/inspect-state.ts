/** What a model's folder holds: a whole model or an adapter on its base. */
import { adapterBase, openAdapterFolder } from "../models/adapter-folder.ts";
import { inspectModelFolder } from "../models/hf-folder.ts";
import { isAdapterFolder } from "../util/weight-files.ts";
import type { StateInfo } from "./engine.ts";

/** The content of a folder, without reading a number. */
export function inspectState(folder: string): StateInfo {
  const adapts = isAdapterFolder(folder);
  const whole = inspectModelFolder(adapts ? adapterBase(folder) : folder);
  const adapter = adapts ? openAdapterFolder(folder, whole) : null;
  const { config, heads } = adapter ?? whole;
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
