/** The models that a run starts from: hashes of their weights when it began, kept in its folder. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { modelFoldersOf } from "../config/config-paths.ts";
import { replaceRunFile } from "../config/run-manifest.ts";
import { unrecordedBase } from "../engine/inspect-state.ts";
import type { Config } from "../settings/config-schema.ts";
import { readOwnJson } from "../util/json-values.ts";
import { hashOfWeights } from "../util/weight-files.ts";

/** SHA-256 of weights by folder, as the configuration names it. */
export type ModelRecord = Readonly<Record<string, string>>;

const file = "models.json";

/** The hash of each folder with weights that a configuration names, and of the bases of other programs' adapters among them. */
export async function hashModels(config: Config): Promise<ModelRecord> {
  const record: Record<string, string> = {};
  // PEFT's adapters say nothing of the weights on which they stand.
  const folders = modelFoldersOf(config).flatMap((folder) => [folder, unrecordedBase(folder) ?? folder]);
  for (const folder of new Set(folders)) {
    const hash = await hashOfWeights(folder);
    if (hash !== null) record[folder] = hash;
  }
  return record;
}

/** Writes the record of a new run; nothing if it starts from no model. */
export async function recordModels(config: Config, folder: string): Promise<void> {
  const record = await hashModels(config);
  if (Object.keys(record).length > 0) await replaceRunFile(folder, file, `${JSON.stringify(record, null, 2)}\n`);
}

/** The record of a run; null for a run of a version before 0.4, and for one that started from no model. */
export function recordedModels(folder: string): ModelRecord | null {
  const path = join(folder, file);
  return existsSync(path) ? (readOwnJson(path, { remedy: "Restore it from a copy." }) as ModelRecord) : null;
}
