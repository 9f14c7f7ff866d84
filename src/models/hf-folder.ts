/** Models as Hugging Face folders: `config.json` and `model.safetensors`. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { writeDurably } from "../util/durable.ts";
import { CheckpointError, messageOf } from "../util/errors.ts";
import {
  type DecoderConfig,
  type Head,
  layerNormEpsilon,
  parameterCount,
  parameterSpecs,
  whyTooLarge,
} from "./model-config.ts";
import { type NamedTensor, readSafetensors, readShapes, writeSafetensors } from "./safetensors.ts";

export const weightsFile = "model.safetensors";
export const optimizerFile = "optimizer.safetensors";

/** What else a GPT-2 may be by its config.json, and this one is not: it would be read without an error, and be wrong. */
const supportedVariant = {
  activation_function: "gelu_new",
  layer_norm_epsilon: layerNormEpsilon,
  scale_attn_weights: true,
  scale_attn_by_inverse_layer_idx: false,
};

export interface ModelFolder {
  readonly config: DecoderConfig;
  readonly heads: readonly Head[];
  /** By the names of `parameterSpecs`. */
  readonly tensors: ReadonlyMap<string, NamedTensor>;
}

export function writeModelFolder(folder: string, { config, heads, tensors }: ModelFolder): void {
  const scalarOnly = !heads.includes("lm");
  const json = {
    model_type: "gpt2",
    architectures: [scalarOnly ? "GPT2ForSequenceClassification" : "GPT2LMHeadModel"],
    vocab_size: config.vocabularySize,
    n_positions: config.context,
    n_embd: config.width,
    n_layer: config.layers,
    n_head: config.heads,
    activation_function: "gelu_new",
    layer_norm_epsilon: layerNormEpsilon,
    tie_word_embeddings: config.tieEmbeddings,
    resid_pdrop: 0,
    embd_pdrop: 0,
    attn_pdrop: 0,
    ...(scalarOnly ? { num_labels: 1 } : {}),
    torch_dtype: "float32",
    // Hugging Face has no class with both heads; its readers ignore this key.
    ballast_heads: heads,
  };
  writeDurably(join(folder, "config.json"), `${JSON.stringify(json, null, 2)}\n`);
  writeSafetensors(join(folder, weightsFile), tensors);
}

/** What a folder says it holds, from its configuration and the shapes of its tensors; no number is read. */
export interface ModelFolderInfo {
  /** As config.json has it: embeddings that it calls tied are not where the file has another head. */
  readonly config: DecoderConfig;
  readonly heads: readonly Head[];
}

/** What a folder's model is, without its weights. Throws a CheckpointError. */
export function readModelConfig(folder: string): DecoderConfig {
  return readConfig(join(folder, "config.json")).config;
}

/** Throws a CheckpointError that names what does not fit. */
export function inspectModelFolder(folder: string): ModelFolderInfo {
  const { config, heads } = inspect(folder);
  return { config, heads };
}

/**
 * Reads a folder written here or by Hugging Face's GPT-2. Throws a CheckpointError that names what does not fit: before
 * anything of the size that the folder claims is allocated, where its claims do not fit the file or the machine.
 */
export function readModelFolder(folder: string): ModelFolder {
  const { path, config, heads, names } = inspect(folder);
  const wanted = new Map(parameterSpecs(config, heads).map(({ name }) => [names.get(name), name]));
  if (heads.includes("lm")) wanted.set(names.get(ownHead), ownHead);
  const read = readSafetensors(path, { wanted: (name) => wanted.has(name) }).tensors;
  const tensors = new Map([...read].map(([name, tensor]) => [wanted.get(name) as string, tensor]));
  refuseNonFinite(path, tensors);
  if (heads.includes("scalar") && !tensors.has("score.bias"))
    tensors.set("score.bias", { shape: [1], data: new Float32Array(1) });
  if (!config.tieEmbeddings || !tensors.has(ownHead)) return { config, heads, tensors };
  // The file's own head counts where it is another than the embedding, whatever the configuration says.
  const tied = sameNumbers(tensors.get(ownHead), tensors.get("transformer.wte.weight"));
  if (tied) tensors.delete(ownHead);
  return { config: { ...config, tieEmbeddings: tied }, heads, tensors };
}

const ownHead = "lm_head.weight";

function sameNumbers(a: NamedTensor | undefined, b: NamedTensor | undefined): boolean {
  return a !== undefined && b !== undefined && a.data.every((value, i) => value === b.data[i]);
}

/** Throws a CheckpointError that names the tensors with numbers that are NaN or infinite, or beyond float32, and how many they are. */
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

/** `names`: of the file's tensors, by the names of `parameterSpecs`. */
function inspect(folder: string): ModelFolderInfo & { path: string; names: ReadonlyMap<string, string> } {
  const { config, recordedHeads, architecture } = readConfig(join(folder, "config.json"));
  const path = join(folder, weightsFile);
  const shapes = new Map<string, readonly number[]>();
  const names = new Map<string, string>();
  for (const [name, shape] of readShapes(path)) {
    const known = /^(wte|wpe|h|ln_f)\./.test(name) ? `transformer.${name}` : name;
    shapes.set(known, shape);
    names.set(known, name);
  }
  const heads: readonly Head[] = recordedHeads ?? [headOf({ path, architecture, shapes })];
  // Names and shapes are compared one by one only where the file has as many tensors as the layers ask for.
  if (config.layers > shapes.size)
    throw new CheckpointError(`${path} has ${shapes.size} tensors, and config.json wants ${config.layers} layers`);
  const large = whyTooLarge(parameterCount(config, heads));
  if (large !== null)
    throw new CheckpointError(`the model in ${folder} is too large: ${large}`, "Give a smaller model.");
  const wanted = parameterSpecs(config, heads).map(({ name, shape }) => ({ name, shape }));
  if (heads.includes("lm") && config.tieEmbeddings && shapes.has(ownHead))
    wanted.push({ name: ownHead, shape: [config.vocabularySize, config.width] });
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
  architecture,
  shapes,
}: {
  path: string;
  architecture: string;
  shapes: ReadonlyMap<string, readonly number[]>;
}): Head {
  if (shapes.has("score.weight")) return "scalar";
  // Without this, a trunk whose own head is of another kind would pass for a language model with tied embeddings.
  const other = ["classifier.weight", "qa_outputs.weight"].find((name) => shapes.has(name));
  if (other === undefined) return "lm";
  throw new CheckpointError(
    `${path} holds ${architecture || "a model"} with the head ${other}, which is neither a language head nor a score`,
    "Give a language model (GPT2LMHeadModel), or a reward model with one score (GPT2ForSequenceClassification, num_labels 1).",
  );
}

function manyLabels(path: string, labels: number): CheckpointError {
  return new CheckpointError(
    `${path} is a classifier of ${labels} labels: its score.weight has ${labels} rows, and a reward model has one score`,
    "Train it with num_labels: 1, or, of two labels, keep the difference of their rows: score.weight = row 1 - row 0 is the log-odds of label 1.",
  );
}

/** Real ones have a few kilobytes. */
const maxConfig = 2 ** 20;

function readConfig(path: string): { config: DecoderConfig; recordedHeads: Head[] | null; architecture: string } {
  let json: Record<string, unknown>;
  try {
    const { size } = statSync(path);
    if (size > maxConfig) throw new Error(`it has ${size} bytes, and a model's configuration ${maxConfig} at most`);
    json = (JSON.parse(readFileSync(path, "utf8")) ?? {}) as Record<string, unknown>;
  } catch (error) {
    throw new CheckpointError(
      `cannot read ${path}: ${messageOf(error)}`,
      "A model folder has config.json and model.safetensors.",
    );
  }
  if (json.model_type !== "gpt2") {
    throw new CheckpointError(`${path}: model_type is ${JSON.stringify(json.model_type)}; only gpt2 is supported`);
  }
  for (const [key, supported] of Object.entries(supportedVariant)) {
    const value = json[key] ?? supported;
    if (value !== supported)
      throw new CheckpointError(`${path}: ${key} is ${JSON.stringify(value)}; only ${supported} is supported`);
  }
  const number = (key: string): number => {
    const value = json[key];
    if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return value;
    throw new CheckpointError(`${path}: ${key} must be a positive integer, found ${JSON.stringify(value)}`);
  };
  const recorded = json.ballast_heads;
  const recordedHeads = Array.isArray(recorded) ? recorded.filter((head) => head === "lm" || head === "scalar") : null;
  if (recordedHeads?.length === 0) throw new CheckpointError(`${path}: ballast_heads names neither lm nor scalar`);
  const config: DecoderConfig = {
    family: "gpt2",
    vocabularySize: number("vocab_size"),
    context: number("n_positions"),
    width: number("n_embd"),
    layers: number("n_layer"),
    heads: number("n_head"),
    tieEmbeddings: json.tie_word_embeddings !== false,
  };
  const { width, heads } = config;
  if (width % heads !== 0) throw new CheckpointError(`${path}: n_embd ${width} is not divisible by n_head ${heads}`);
  const [architecture] = Array.isArray(json.architectures) ? (json.architectures as unknown[]) : [];
  return { config, recordedHeads, architecture: typeof architecture === "string" ? architecture : "" };
}
