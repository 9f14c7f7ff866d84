/** Models as Hugging Face folders: `config.json` and `model.safetensors`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeDurably } from "../util/durable.ts";
import { CheckpointError, messageOf } from "../util/errors.ts";
import { type DecoderConfig, type Head, layerNormEpsilon, parameterSpecs } from "./config.ts";
import { type NamedTensor, readSafetensors, writeSafetensors } from "./safetensors.ts";

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

/** Reads a folder written here or by Hugging Face's GPT-2. Throws a CheckpointError that names what does not fit. */
export function readModelFolder(folder: string): ModelFolder {
  const { config, recordedHeads } = readConfig(join(folder, "config.json"));
  const path = join(folder, weightsFile);
  const found = new Map<string, NamedTensor>();
  // GPT-2's causal masks are buffers, not parameters.
  const wanted = (name: string) => !/\.attn\.(masked_)?bias$/.test(name);
  for (const [name, tensor] of readSafetensors(path, { wanted }).tensors) {
    found.set(/^(wte|wpe|h|ln_f)\./.test(name) ? `transformer.${name}` : name, tensor);
  }
  const heads: Head[] = recordedHeads ?? (found.has("score.weight") ? ["scalar"] : ["lm"]);
  for (const { name, shape } of parameterSpecs(config, heads)) {
    const tensor = found.get(name);
    if (tensor === undefined && name === "score.bias") {
      found.set(name, { shape, data: new Float32Array(1) });
      continue;
    }
    if (tensor === undefined) throw new CheckpointError(`${path} has no parameter ${name}`);
    if (tensor.shape.join() !== shape.join()) {
      throw new CheckpointError(`${path}: ${name} has shape [${tensor.shape}], config.json wants [${shape}]`);
    }
  }
  return { config, heads, tensors: found };
}

/** What a folder's model is, without its weights. Throws a CheckpointError. */
export function readModelConfig(folder: string): DecoderConfig {
  return readConfig(join(folder, "config.json")).config;
}

function readConfig(path: string): { config: DecoderConfig; recordedHeads: Head[] | null } {
  let json: Record<string, unknown>;
  try {
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
    if (typeof value === "number" && Number.isInteger(value) && value > 0) return value;
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
  return { config, recordedHeads };
}
