/** The files that hold a model's weights in a Hugging Face folder: one file, or shards that an index names. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { CheckpointError, messageOf } from "./errors.ts";
import { sha256Of } from "./manifest.ts";

export const weightsFile = "model.safetensors";
export const indexFile = "model.safetensors.index.json";
/** PEFT's two files of an adapter. */
export const adapterConfigFile = "adapter_config.json";
export const adapterWeightsFile = "adapter_model.safetensors";

/** Most bytes of an index: enough for 100,000 tensors. */
const maxIndexBytes = 16 * 2 ** 20;
/** Most shards of a model; the largest published ones have a few hundred. */
const maxShards = 10_000;

export interface WeightFiles {
  /** Names of the files with tensors, in order. */
  readonly files: readonly string[];
  /** The index's file by tensor; null if there is one file and so no index. */
  readonly placed: ReadonlyMap<string, string> | null;
}

/** Whether a folder holds a model's weights, in whichever format: those that Ballast cannot read are refused by name when they are read. */
export function hasWeights(folder: string): boolean {
  return hasSafetensors(folder) || otherWeights(folder).length > 0;
}

/** Whether a folder is a model's, whole or adapter, even if its weights are missing: a run's has a `config.json`, too. */
export function isModelFolder(folder: string): boolean {
  if (hasWeights(folder) || isAdapterFolder(folder)) return true;
  try {
    const { model_type } = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
    return typeof model_type === "string";
  } catch {
    return false;
  }
}

function hasSafetensors(folder: string): boolean {
  return isFile(join(folder, weightsFile)) || isFile(join(folder, indexFile));
}

/** Files with weights in a format, or under a name, that is not read. */
function otherWeights(folder: string): string[] {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  const own = [weightsFile, adapterWeightsFile, "optimizer.safetensors"];
  const names = readdirSync(folder).filter((name) => !own.includes(name));
  return names.filter((name) => /^pytorch_model.*\.bin(\.index\.json)?$|\.gguf$|\.safetensors$/.test(name)).sort();
}

/**
 * The files of a folder's weights. A whole `model.safetensors` wins over an index, as in transformers 5.24: saving one file over a sharded model leaves
 * the old index, and perhaps old shards, behind.
 * @throws CheckpointError if there are no weights, or the index cannot be used
 */
export function weightFilesIn(folder: string): WeightFiles {
  if (isFile(join(folder, weightsFile))) return { files: [weightsFile], placed: null };
  if (!existsSync(join(folder, indexFile))) throw withoutWeights(folder);
  return readIndex(folder);
}

/** Whether a folder holds an adapter, which wins over whole weights beside it, as in transformers. */
export function isAdapterFolder(folder: string): boolean {
  return isFile(join(folder, adapterConfigFile));
}

/** A hash of a folder's weights or adapter, by the hash of each file; a sharded model's index counts as one of them. Null without safetensors. */
export async function hashOfWeights(folder: string): Promise<string | null> {
  if (isAdapterFolder(folder)) {
    const hash = createHash("sha256");
    for (const file of [adapterConfigFile, adapterWeightsFile]) {
      const path = join(folder, file);
      hash.update(`${file} ${existsSync(path) ? await sha256Of(path) : "absent"}\n`);
    }
    return hash.digest("hex");
  }
  if (!hasSafetensors(folder)) return null;
  const { files, placed } = weightFilesIn(folder);
  if (placed === null) return sha256Of(join(folder, weightsFile));
  const hash = createHash("sha256");
  for (const file of [indexFile, ...files]) {
    const path = join(folder, file);
    hash.update(`${file} ${existsSync(path) ? await sha256Of(path) : "absent"}\n`);
  }
  return hash.digest("hex");
}

/** A folder's real path with size, time of change and inode of each file of its weights. Null if the folder cannot be read, which reading then explains. */
export function identityOfWeights(folder: string): string | null {
  try {
    const path = realpathSync(folder);
    const files = readdirSync(path).filter((name) => /^(config\.json|model.*\.(safetensors|json))$/.test(name));
    const marks = files.sort().map((name) => {
      const { size, mtimeMs, ino } = statSync(join(path, name));
      return `${name} ${size} ${mtimeMs} ${ino}`;
    });
    return [path, ...marks].join("\n");
  } catch {
    return null;
  }
}

function readIndex(folder: string): WeightFiles {
  const path = join(folder, indexFile);
  const refuse = (why: string) =>
    new CheckpointError(`${path} cannot be used: ${why}`, "Copy the folder again from where it came from.");
  const status = statSync(path);
  if (!status.isFile()) throw refuse("it is not a file");
  if (status.size > maxIndexBytes) throw refuse(`its ${status.size} bytes are above ${maxIndexBytes}`);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw refuse(`it is not JSON (${messageOf(error)})`);
  }
  const map = { ...(json as { weight_map?: unknown } | null) }.weight_map;
  if (typeof map !== "object" || map === null || Array.isArray(map)) throw refuse("it has no weight_map");
  const placed = new Map<string, string>();
  for (const [tensor, file] of Object.entries(map)) {
    // A name, never a path: an index could otherwise have any file of the machine read.
    if (typeof file !== "string" || !/^[^/\\:\0]{1,200}\.safetensors$/.test(file))
      throw refuse(`it places ${tensor} in ${JSON.stringify(file)?.slice(0, 200)}, which is not the name of a shard`);
    placed.set(tensor, file);
  }
  const files = [...new Set(placed.values())].sort();
  if (files.length === 0) throw refuse("its weight_map is empty");
  if (files.length > maxShards) throw refuse(`it names ${files.length} shards, above ${maxShards}`);
  const missing = files.filter((file) => !existsSync(join(folder, file)));
  if (missing.length > 0) {
    const more = missing.length > 3 ? ` and ${missing.length - 3} more` : "";
    throw new CheckpointError(
      `${folder} lacks ${missing.length} of the ${files.length} shards that ${indexFile} names: ${missing.slice(0, 3).join(", ")}${more}`,
      "Copy the missing files from where the folder came from.",
    );
  }
  return { files, placed };
}

/** Says what a folder without safetensors has in their place, and how to convert it. */
function withoutWeights(folder: string): CheckpointError {
  if (!existsSync(folder)) return new CheckpointError(`there is no folder ${folder}`, "Check the path.");
  const others = otherWeights(folder);
  // What can be converted says more than what is incomplete.
  const other = others.find((name) => !name.endsWith(".safetensors")) ?? others[0];
  if (other === undefined)
    return new CheckpointError(
      `${folder} holds no weights: it has neither ${weightsFile} nor ${indexFile}`,
      "A model folder has config.json, the weights, and tokenizer.json.",
    );
  if (other.endsWith(".safetensors")) return withoutIndex(folder, others);
  const [d, name] = [JSON.stringify(folder), JSON.stringify(other)];
  const isGguf = other.endsWith(".gguf");
  const python = isGguf
    ? // Without GgufConfig transformers 5.24 refuses to save what it read; a GGUF file has the tokenizer, too.
      `from transformers import ${className(folder)} as M, AutoTokenizer as T, GgufConfig as G; d = ${d}; f = ${name}; ` +
      "M.from_pretrained(d, gguf_file=f, quantization_config=G(dequantize=True)).save_pretrained(d); T.from_pretrained(d, gguf_file=f).save_pretrained(d)"
    : `from transformers import ${className(folder)} as M; M.from_pretrained(${d}).save_pretrained(${d})`;
  return new CheckpointError(
    `${folder} holds its weights as ${other}, and Ballast reads safetensors`,
    `Convert it, after pip install torch transformers${isGguf ? " gguf" : ""}: python -c '${python}'`,
  );
}

/** Says of a folder with safetensors under other names what is there and what is missing. */
function withoutIndex(folder: string, found: readonly string[]): CheckpointError {
  const named = `${found.slice(0, 3).join(", ")}${found.length > 3 ? ` and ${found.length - 3} more` : ""}`;
  const shards = found.flatMap((name) => {
    const [, number, of] = /^model-(\d+)-of-(\d+)\.safetensors$/.exec(name) ?? [];
    return of === undefined ? [] : [{ number: Number(number), of: Number(of) }];
  });
  const [first] = shards;
  if (first !== undefined) {
    const whole = shards.length === first.of ? `all ${first.of}` : `${shards.length} of the ${first.of}`;
    return new CheckpointError(
      `${folder} has ${whole} shards of a model (${named}) and no ${indexFile}, which says where each tensor is`,
      `The download is not complete: copy ${indexFile}${shards.length === first.of ? "" : " and the missing shards"} from where they came from.`,
    );
  }
  return new CheckpointError(
    `${folder} has no ${weightsFile}, but ${named}`,
    found.some((name) => name.startsWith("consolidated"))
      ? `consolidated.safetensors is in its maker's own format, with other names of tensors: copy ${weightsFile}, or the shards and ${indexFile}, from where it came from.`
      : `Copy ${weightsFile} from where it came from. If the file is the same model in a different format of numbers (such as model.fp16.safetensors), rename it to ${weightsFile}.`,
  );
}

/** The class that a folder's config.json names; the one of language models if it names none. */
function className(folder: string): string {
  try {
    const { architectures } = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
    if (/^\w+$/.test(architectures[0])) return architectures[0];
  } catch {
    // Without a configuration, or with one that does not say.
  }
  return "AutoModelForCausalLM";
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
