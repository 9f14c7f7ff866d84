/** The data of a run: fingerprints of its files' rows when it began, kept in its folder and compared when it continues. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { replaceRunFile } from "../config/run-manifest.ts";
import { changeOfRows, fingerprintRows, type RowsFingerprint } from "../data/index.ts";
import { learnedComponents } from "../reward/index.ts";
import type { Config, DataConfig } from "../settings/config-schema.ts";
import type { Stage } from "../types/records.ts";
import { CheckpointError } from "../util/errors.ts";
import { readOwnJson } from "../util/json-values.ts";

/** Fingerprints by configuration key: `sft.data`. */
export type DataRecord = Readonly<Record<string, RowsFingerprint>>;

interface Source {
  readonly key: string;
  readonly path: DataConfig["path"];
  readonly limit: number;
  /** The stages that read the file. */
  readonly readers: readonly (Stage | "evaluation")[];
  /** Whether the file is only measured with and grows by rating (`ballast rate --export-ratings`): appended rows do no harm. */
  readonly grows: boolean;
}

const file = "data.json";

/** Fingerprints of every file that the stages of a configuration read. Throws DataError if one cannot be read. */
export function fingerprintData(config: Config): DataRecord {
  return Object.fromEntries(sourcesOf(config).map((source) => [source.key, fingerprintRows(source)]));
}

/** Writes the record of a new run. */
export function recordData(folder: string, record: DataRecord): Promise<void> {
  return replaceRunFile(folder, file, `${JSON.stringify(record)}\n`);
}

/**
 * Compares the files that are still to be read with the record. Returns messages for a run that continues all the same: about allowed changes, whose
 * rows then become the run's, and about appended ratings. A run of an earlier version has no record, and gets one. Throws CheckpointError if rows
 * changed; DataError if a file cannot be read.
 */
export async function checkData(options: {
  readonly config: Config;
  readonly folder: string;
  readonly unfinished: readonly (Stage | "evaluation")[];
  readonly allowChanged: boolean;
}): Promise<string[]> {
  const { config, folder, unfinished, allowChanged } = options;
  const before = readRecord(folder);
  const read = sourcesOf(config).filter(({ readers }) => readers.some((reader) => unfinished.includes(reader)));
  const changes = changesSince(before, read);
  const harmful = changes.filter(({ harmless }) => !harmless);
  if (harmful.length > 0 && !allowChanged)
    throw new CheckpointError(
      `the data is not what the run began with: ${harmful.map(({ says }) => says).join("; ")}`,
      "Restore the old rows, or let the curve mix two sets of rows: ballast resume RUN --allow-changed-data",
    );
  const stale = read.filter(({ key }) => before[key] === undefined || changes.some((change) => change.key === key));
  const now = Object.fromEntries(stale.map((source) => [source.key, fingerprintRows(source)]));
  if (stale.length > 0) await recordData(folder, { ...before, ...now });
  return changes.map(({ says, harmless }) => `${says}${harmless ? "" : ": the run continues with these"}`);
}

/** What changed in the files of a run since it began, one sentence each; empty for a run of an earlier version. */
export function dataChanges(config: Config, folder: string): string[] {
  return changesSince(readRecord(folder), sourcesOf(config)).map(({ says }) => says);
}

function changesSince(before: DataRecord, sources: readonly Source[]) {
  return sources.flatMap(({ key, grows, ...source }) => {
    const change = before[key] ? changeOfRows(before[key], source) : null;
    return change ? [{ key, says: `${key}: ${change.says}`, harmless: grows && change.appended }] : [];
  });
}

/** The record in a run's folder; empty for a run of an earlier version. */
export function readRecord(folder: string): DataRecord {
  const path = join(folder, file);
  return existsSync(path)
    ? (readOwnJson(path, {
        remedy: "Restore it from a copy. Without one, delete it: the rows are then taken as they are.",
      }) as DataRecord)
    : {};
}

function sourcesOf({ sft, reward, ppo, evaluation, control }: Config): Source[] {
  const { ratings } = control.probes;
  const asked = evaluation.prompts ? (["reward", "ppo"] as const) : (["reward", "ppo", "evaluation"] as const);
  // PPO's probes show held-out pairs to a learned reward.
  const judging =
    ppo && learnedComponents(ppo.rewards).length > 0 ? (["reward", "ppo"] as const) : (["reward"] as const);
  const sources = [
    { key: "sft.data", from: sft?.data, readers: ["sft"] },
    { key: "sft.evaluation", from: sft?.evaluation, readers: ["sft"] },
    { key: "reward.data", from: reward?.data, readers: judging },
    { key: "reward.evaluation", from: reward?.evaluation, readers: judging },
    // The reward model's scores are normalised on answers to them.
    { key: "ppo.prompts", from: ppo?.prompts, readers: asked },
    { key: "evaluation.prompts", from: ppo && evaluation.prompts, readers: ["evaluation"] },
    { key: "control.monitor.prompts", from: ppo && control.monitor.prompts, readers: ["ppo"] },
    {
      key: "control.probes.ratings",
      from: ppo && ratings && { path: ratings, limit: 0 },
      readers: ["ppo"],
      grows: true,
    },
  ] as const;
  return sources.flatMap(({ key, from, readers, ...more }) =>
    from ? [{ key, path: from.path, limit: from.limit, readers, grows: "grows" in more }] : [],
  );
}
