/** The manifest of a run's folder: which run it is, and what its configuration, rules and tokenizer were when they were written. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { writeDurably } from "../util/durable.ts";
import { CheckpointError, messageOf } from "../util/errors.ts";
import { type FileRecords, firstDifference, manifestFile, recordOf } from "../util/manifest.ts";
import { type On, sameName } from "../util/platform.ts";

/** The run that something belongs to. null means unknown: an earlier version began the run. */
export interface RunOrigin {
  /** The run's id. */
  readonly run: string;
  /** SHA-256 of the configuration that the run began with, as its folder and the database record it. */
  readonly config: string | null;
  /** SHA-256 of the tokenizer's files. */
  readonly tokenizer: string | null;
}

interface RunManifest {
  readonly run: string;
  readonly config: string | null;
  readonly files: FileRecords;
}

const tokenizerFiles = ["tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json"] as const;
const otherTokenizer = "Restore the tokenizer that the run's models were trained with.";

/** The files that the manifest covers, each with what to do if it has changed. */
const remedies: Readonly<Record<string, string>> = {
  "config.json": "Restore it: different settings need a new run.",
  "data.json": "Restore it: it records the rows that the run began with.",
  "models.json": "Restore it: it records the models that the run began with.",
  "rules.json": "Restore it: different rules need a new run, with control.rules.",
  "reward-scales.json": "Restore it: the scores of the run's reward functions are normalised by it.",
  ...Object.fromEntries(tokenizerFiles.map((name) => [name, otherTokenizer])),
};

export function sha256OfText(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/**
 * The id of the run in a folder that a user named, spelt as the run began, even if the user typed a different case or accents on a system
 * that ignores them. Throws CheckpointError if the folder holds a different run than its name says.
 */
export function runIn(folder: string, on: On = {}): string {
  const id = basename(folder);
  const run = readRunManifest(folder)?.run;
  if (run === undefined) return storedName(folder, on);
  if (sameName(run, id, on)) return run;
  throw new CheckpointError(
    `${folder} holds the run ${run}: it was renamed, or swapped with another`,
    `Give it its name back: the database calls the run ${run}.`,
  );
}

/** Throws CheckpointError if a file that the manifest covers is not what Ballast wrote. A run without a manifest passes. */
export async function checkRunFiles(folder: string): Promise<void> {
  for (const [name, record] of Object.entries(readRunManifest(folder)?.files ?? {})) {
    const difference = await firstDifference(folder, { [name]: record });
    if (difference === null) continue;
    const remedy = remedies[name] ?? "Restore it.";
    const way = `If the change is meant, delete ${join(folder, manifestFile)}: the run then takes its files as they are.`;
    throw new CheckpointError(
      `the run in ${folder} is not as Ballast left it: ${difference}`,
      remedy === otherTokenizer ? remedy : `${remedy} ${way}`,
    );
  }
}

/** Adds files that exist but are not in the manifest yet. `begins` says that no earlier process has worked in this folder. */
export async function sealRun(folder: string, { begins = false }: { begins?: boolean } = {}): Promise<RunOrigin> {
  const known = readRunManifest(folder);
  const files: Record<string, FileRecords[string]> = { ...known?.files };
  for (const name of Object.keys(remedies)) {
    const path = join(folder, name);
    if (files[name] === undefined && existsSync(path)) files[name] = await recordOf(path);
  }
  const manifest: RunManifest = known
    ? { ...known, files }
    : { run: basename(resolve(folder)), config: (begins ? files["config.json"]?.sha256 : null) ?? null, files };
  if (JSON.stringify(manifest) !== JSON.stringify(known)) writeRunManifest(folder, manifest);
  return originOf(manifest);
}

/** Replaces a file that the manifest covers. If the process is killed at any moment, the file matches the manifest or is not in it. */
export async function replaceRunFile(folder: string, name: string, text: string): Promise<void> {
  const known = readRunManifest(folder);
  if (known) {
    const { [name]: _, ...files } = known.files;
    writeRunManifest(folder, { ...known, files });
  }
  writeDurably(join(folder, name), text);
  if (known) await sealRun(folder);
}

/** The origin of the run in a folder; null if the folder has no manifest. */
export function runOrigin(folder: string): RunOrigin | null {
  const manifest = readRunManifest(folder);
  return manifest && originOf(manifest);
}

/** Describes how two origins differ; null if they agree, as far as both are known. */
export function otherOrigin(found: RunOrigin, expected: RunOrigin): string | null {
  if (found.run !== expected.run) return `it belongs to the run ${found.run}, not to ${expected.run}`;
  const differs = (key: "config" | "tokenizer") =>
    found[key] !== null && expected[key] !== null && found[key] !== expected[key];
  if (differs("config")) return `it belongs to a different run named ${found.run}, which began with other settings`;
  return differs("tokenizer")
    ? "its models were trained with a tokenizer that differs from the one in the run's folder"
    : null;
}

/** The folder's name as the disk has it. */
function storedName(folder: string, on: On): string {
  const names = readdirSync(dirname(folder));
  const id = basename(folder);
  return names.includes(id) ? id : (names.find((name) => sameName(name, id, on)) ?? id);
}

function originOf({ run, config, files }: RunManifest): RunOrigin {
  const hashes = tokenizerFiles.flatMap((name) => files[name]?.sha256 ?? []);
  return { run, config, tokenizer: hashes.length > 0 ? sha256OfText(hashes.join()) : null };
}

function readRunManifest(folder: string): RunManifest | null {
  const path = join(folder, manifestFile);
  if (!existsSync(path)) return null;
  try {
    const manifest = JSON.parse(readFileSync(path, "utf8")) as RunManifest;
    if (typeof manifest.run === "string" && typeof manifest.files === "object") return manifest;
  } catch (error) {
    throw new CheckpointError(
      `${path} cannot be read: ${messageOf(error)}`,
      "Restore it from a copy. Without it the run takes its files as they are.",
      { cause: error },
    );
  }
  throw new CheckpointError(`${path} is not the manifest of a run`, "Restore it from a copy, or move it away.");
}

function writeRunManifest(folder: string, manifest: RunManifest): void {
  writeDurably(join(folder, manifestFile), `${JSON.stringify(manifest, null, 2)}\n`);
}
