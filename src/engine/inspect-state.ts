/** What a model's folder holds: a whole model or an adapter on its base. */
import { adapterBase, openAdapterFolder } from "../models/adapter-folder.ts";
import { inspectModelFolder } from "../models/hf-folder.ts";
import { isAdapterFolder } from "../util/weight-files.ts";
import type { StateInfo } from "./engine.ts";

/** The content of a folder, without reading a number. */
export function inspectState(folder: string): StateInfo {
  if (!isAdapterFolder(folder)) return inspectModelFolder(folder);
  const { config, heads, dropout } = openAdapterFolder(folder, inspectModelFolder(adapterBase(folder)));
  const note = `the adapter in ${folder} was trained with lora_dropout ${dropout}, and is used and trained on without`;
  return { config, heads, ...(dropout > 0 && { notes: [note] }) };
}
