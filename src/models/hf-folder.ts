/** Models as Hugging Face folders: `config.json` and `model.safetensors`. */
import { join } from "node:path";
import { writeDurably } from "../util/durable.ts";
import { CheckpointError } from "../util/errors.ts";
import { architectureOf, type Family, families, familyNames, parameterSpecs } from "./family.ts";
import { HfConfig } from "./hf-config.ts";
import type { DecoderConfig, Head } from "./model-config.ts";
import { parameterCount, whyTooLarge } from "./model-size.ts";
import { type NamedTensor, readSafetensors, readShapes, writeSafetensors } from "./safetensors.ts";

export const weightsFile = "model.safetensors";
export const optimizerFile = "optimizer.safetensors";

export interface ModelFolder {
  readonly config: DecoderConfig;
  readonly heads: readonly Head[];
  /** Tensors by the names of `parameterSpecs`. */
  readonly tensors: ReadonlyMap<string, NamedTensor>;
}

export function writeModelFolder(folder: string, { config, heads, tensors }: ModelFolder): void {
  const { classes, write } = architectureOf(config).huggingFace;
  const head: Head = heads.includes("lm") ? "lm" : "scalar";
  const json = {
    model_type: config.family,
    architectures: [classes[head]],
    ...write(config),
    ...(head === "scalar" ? { num_labels: 1 } : {}),
    torch_dtype: "float32",
    // Hugging Face has no class with both heads; its readers ignore this key.
    ballast_heads: heads,
  };
  writeDurably(join(folder, "config.json"), `${JSON.stringify(json, null, 2)}\n`);
  writeSafetensors(join(folder, weightsFile), tensors);
}

/** The content of a folder according to its configuration and the shapes of its tensors, without reading a number. */
export interface ModelFolderInfo {
  /** The configuration as in config.json, except that embeddings it calls tied are not if the file has a different head. */
  readonly config: DecoderConfig;
  readonly heads: readonly Head[];
}

/** A folder's model configuration, without its weights. Throws a CheckpointError. */
export function readModelConfig(folder: string): KnownConfig {
  return readConfig(join(folder, "config.json")).config;
}

/** The content of a folder. Throws a CheckpointError that names what does not fit. */
export function inspectModelFolder(folder: string): ModelFolderInfo {
  const { config, heads } = inspect(folder);
  return { config, heads };
}

/**
 * Reads a folder written by Ballast or by Hugging Face's classes. Throws a CheckpointError that names what does not fit. If the folder's claims do
 * not fit the file or the machine, it throws before anything of that size is allocated.
 */
export function readModelFolder(folder: string): ModelFolder {
  const { path, config, heads, names } = inspect(folder);
  const wanted = new Map(parameterSpecs(config, heads).map(({ name }) => [names.get(name), name]));
  const { own, tied } = architectureOf(config).languageHead;
  if (heads.includes("lm")) wanted.set(names.get(own), own);
  const read = readSafetensors(path, { wanted: (name) => wanted.has(name) }).tensors;
  const tensors = new Map([...read].map(([name, tensor]) => [wanted.get(name) as string, tensor]));
  refuseNonFinite(path, tensors);
  if (heads.includes("scalar") && !tensors.has("score.bias"))
    tensors.set("score.bias", { shape: [1], data: new Float32Array(1) });
  if (!config.tieEmbeddings || !tensors.has(own)) return { config, heads, tensors };
  // The file's own head counts if it differs from the embedding, whatever the configuration says.
  const tieEmbeddings = sameNumbers(tensors.get(own), tensors.get(tied));
  if (tieEmbeddings) tensors.delete(own);
  return { config: { ...config, tieEmbeddings }, heads, tensors };
}

function sameNumbers(a: NamedTensor | undefined, b: NamedTensor | undefined): boolean {
  return a !== undefined && b !== undefined && a.data.every((value, i) => value === b.data[i]);
}

/** Throws a CheckpointError that names the tensors with numbers that are NaN, infinite or beyond float32, and their count. */
export function refuseNonFinite(path: string, tensors: ReadonlyMap<string, NamedTensor>): void {
  const found = [...tensors].flatMap(([name, { data }]) => {
    let count = 0;
    for (const value of data) if (!Number.isFinite(value)) count++;
    return count === 0 ? [] : [`${count} of ${data.length} numbers of ${name}`];
  });
  if (found.length === 0) return;
  const more = found.length > 3 ? ` and of ${found.length - 3} more tensors` : "";
  throw new CheckpointError(
    `${path}: ${found.slice(0, 3).join(", ")}${more} are NaN, infinite or beyond float32`,
    "Use an earlier checkpoint, or export the model again: nothing can be computed with these.",
  );
}

/** The content of a folder; `names` are those of the file's tensors, by the names of `parameterSpecs`. */
function inspect(folder: string): ModelFolderInfo & { path: string; names: ReadonlyMap<string, string> } {
  const { config, recordedHeads, className } = readConfig(join(folder, "config.json"));
  const { languageHead, huggingFace } = architectureOf(config);
  const path = join(folder, weightsFile);
  const shapes = new Map<string, readonly number[]>();
  const names = new Map<string, string>();
  for (const [name, shape] of readShapes(path)) {
    const known = huggingFace.nameOf?.(name) ?? name;
    shapes.set(known, shape);
    names.set(known, name);
  }
  const heads: readonly Head[] = recordedHeads ?? [headOf({ path, className, classes: huggingFace.classes, shapes })];
  // Names and shapes are compared one by one only if the file has as many tensors as the layers need.
  if (config.layers > shapes.size)
    throw new CheckpointError(`${path} has ${shapes.size} tensors, and config.json wants ${config.layers} layers`);
  const large = whyTooLarge(parameterCount(config, heads));
  if (large !== null)
    throw new CheckpointError(`the model in ${folder} is too large: ${large}`, "Give a smaller model.");
  const wanted = parameterSpecs(config, heads).map(({ name, shape }) => ({ name, shape }));
  if (heads.includes("lm") && config.tieEmbeddings && shapes.has(languageHead.own))
    wanted.push({ name: languageHead.own, shape: [config.vocabularySize, config.width] });
  for (const { name, shape } of wanted) {
    const found = shapes.get(name);
    if (found === undefined && name === "score.bias") continue;
    if (found === undefined) throw new CheckpointError(`${path} has no parameter ${name}`);
    if (found.join() === shape.join()) continue;
    if (name === "score.weight" && found.length === 2 && found[0] !== 1) throw manyLabels(path, found[0] as number);
    throw new CheckpointError(`${path}: ${name} has shape [${found}], config.json wants [${shape}]`);
  }
  return { path, config, heads, names };
}

function headOf({
  path,
  className,
  classes,
  shapes,
}: {
  path: string;
  className: string;
  classes: { readonly [H in Head]: string };
  shapes: ReadonlyMap<string, readonly number[]>;
}): Head {
  if (shapes.has("score.weight")) return "scalar";
  // Otherwise a trunk with a head of a different kind would pass for a language model with tied embeddings.
  const other = ["classifier.weight", "qa_outputs.weight"].find((name) => shapes.has(name));
  if (other === undefined) return "lm";
  throw new CheckpointError(
    `${path} holds ${className || "a model"} with the head ${other}, which is neither a language head nor a score`,
    `Give a language model (${classes.lm}), or a reward model with one score (${classes.scalar}, num_labels 1).`,
  );
}

function manyLabels(path: string, labels: number): CheckpointError {
  return new CheckpointError(
    `${path} is a classifier of ${labels} labels: its score.weight has ${labels} rows, and a reward model has one score`,
    "Train it with num_labels: 1, or, of two labels, keep the difference of their rows: score.weight = row 1 - row 0 is the log-odds of label 1.",
  );
}

type KnownConfig = DecoderConfig & { readonly family: Family };

function readConfig(path: string): { config: KnownConfig; recordedHeads: Head[] | null; className: string } {
  const file = new HfConfig(path);
  const { model_type: family, ballast_heads: recorded, architectures } = file.json;
  if (typeof family !== "string" || !Object.hasOwn(families, family)) {
    const are = familyNames.length === 1 ? "is" : "are";
    throw file.error(`model_type is ${JSON.stringify(family)}; only ${familyNames.join(", ")} ${are} supported`);
  }
  const known = family as Family;
  const config = { family: known, ...families[known].huggingFace.read(file) };
  const recordedHeads = Array.isArray(recorded) ? recorded.filter((head) => head === "lm" || head === "scalar") : null;
  if (recordedHeads?.length === 0) throw file.error("ballast_heads names neither lm nor scalar");
  const [className] = Array.isArray(architectures) ? (architectures as unknown[]) : [];
  return { config, recordedHeads, className: typeof className === "string" ? className : "" };
}
