/** Models as Hugging Face folders: `config.json` and the weights. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { writeDurably } from "../util/durable.ts";
import { CheckpointError } from "../util/errors.ts";
import { indexFile, weightFilesIn, weightsFile } from "../util/weight-files.ts";
import { architectureOf, type Family, families, familyNames, parameterSpecs } from "./family.ts";
import { HfConfig } from "./hf-config.ts";
import type { DecoderConfig, Head } from "./model-config.ts";
import { parameterCount, whyTooLarge } from "./model-size.ts";
import { openWeights, type WriteWeightsOptions, writeWeights } from "./model-weights.ts";
import { torchNames, type WrittenFormat } from "./number-formats.ts";
import { type NamedTensor, type SafetensorsFile, sizeOf, type TensorSource } from "./safetensors.ts";

export const optimizerFile = "optimizer.safetensors";

export interface ModelFolder {
  readonly config: DecoderConfig;
  readonly heads: readonly Head[];
  /** Tensors by the names of `parameterSpecs`. */
  readonly tensors: ReadonlyMap<string, NamedTensor>;
}

/** Writes `config.json` and the weights into an existing folder. */
export function writeModelFolder(
  folder: string,
  { config, heads, tensors }: ModelFolder,
  options: WriteWeightsOptions = {},
): void {
  writeModelConfig(folder, { config, heads }, options);
  writeWeights(folder, tensors, options);
}

/** Writes `config.json` only, for an engine that writes the weights itself. */
export function writeModelConfig(
  folder: string,
  { config, heads }: ModelFolderInfo,
  { format = "F32" }: Pick<WriteWeightsOptions, "format"> = {},
): void {
  const { classes, write } = architectureOf(config).huggingFace;
  const head: Head = heads.includes("lm") ? "lm" : "scalar";
  const json = {
    model_type: config.family,
    architectures: [classes[head]],
    ...write(config),
    ...(head === "scalar" ? { num_labels: 1 } : {}),
    torch_dtype: torchNames[format],
    // Hugging Face has no class with both heads; its readers ignore this key.
    ballast_heads: heads,
  };
  writeDurably(join(folder, "config.json"), `${JSON.stringify(json, null, 2)}\n`);
}

/** The content of a folder according to its configuration and the shapes of its tensors, without reading a number. */
export interface ModelFolderInfo {
  readonly config: DecoderConfig;
  readonly heads: readonly Head[];
}

/** A folder's model configuration, without its weights. Throws a CheckpointError. */
export function readModelConfig(folder: string): KnownConfig {
  return readConfig(folder).config;
}

/** The content of a folder. Throws a CheckpointError that names what does not fit. */
export function inspectModelFolder(folder: string): ModelFolderInfo {
  const { config, heads } = inspect(folder);
  return { config, heads };
}

/** A folder's model, whose numbers are read on demand. */
export interface OpenedModel extends TensorSource {
  /** The configuration as in config.json, except that embeddings it calls tied are not if the file has a different head. */
  readonly config: DecoderConfig;
  readonly heads: readonly Head[];
  /** Shapes by the names of `parameterSpecs`. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Throws a CheckpointError also for numbers that are NaN, infinite or beyond float32. */
  read(name: string, into: Float32Array): void;
}

/**
 * Opens a folder written by Ballast or by Hugging Face's classes. Throws a CheckpointError that names what does not fit, before anything of the
 * model's size is allocated.
 */
export function openModelFolder(folder: string): OpenedModel {
  const { weights, config, heads, names } = inspect(folder);
  const stored = (name: string) => names.get(name) ?? name;
  const { own, tied } = architectureOf(config).languageHead;
  // The file's own head counts if it differs from the embedding, whatever the configuration says.
  const untied =
    config.tieEmbeddings && heads.includes("lm") && names.has(own) && !sameNumbers(weights, stored(own), stored(tied));
  const found = untied ? { ...config, tieEmbeddings: false } : config;
  return {
    config: found,
    heads,
    shapes: new Map(parameterSpecs(found, heads).map(({ name, shape }) => [name, shape])),
    read(name, into) {
      // The only parameter that a file may lack: a classifier of Hugging Face's has no bias.
      if (name === "score.bias" && !names.has(name)) into.fill(0);
      else weights.read(stored(name), into);
      refuseNonFinite(weights.path, name, into);
    },
  };
}

/**
 * Writes a folder's model into another existing folder in a format of numbers, tensor by tensor: the source's configuration, the architecture's own
 * names. Throws as `openModelFolder` and `writeSafetensors` do.
 */
export function convertModelFolder(
  from: string,
  to: string,
  options: WriteWeightsOptions & { format: WrittenFormat },
): void {
  const { config, shapes, read } = openModelFolder(from);
  const { dtype, ...json } = new HfConfig(join(from, "config.json")).json;
  const converted = { ...json, tie_word_embeddings: config.tieEmbeddings, torch_dtype: torchNames[options.format] };
  writeDurably(join(to, "config.json"), `${JSON.stringify(converted, null, 2)}\n`);
  const tensors = [...shapes].map(([name, shape]): [string, NamedTensor] => {
    const tensor = {
      shape,
      get data() {
        const data = new Float32Array(sizeOf(shape));
        read(name, data);
        return data;
      },
    };
    return [name, tensor];
  });
  writeWeights(to, new Map(tensors), options);
}

/** Reads all of a folder's model, with names as in `parameterSpecs`. Throws as `openModelFolder` does. */
export function readModelFolder(folder: string): ModelFolder {
  const { config, heads, shapes, read } = openModelFolder(folder);
  const tensors = new Map<string, NamedTensor>();
  for (const [name, shape] of shapes) {
    const data = new Float32Array(sizeOf(shape));
    read(name, data);
    tensors.set(name, { shape, data });
  }
  return { config, heads, tensors };
}

/** Compares two tensors of one size piece by piece. */
function sameNumbers(weights: TensorSource, a: string, b: string): boolean {
  const count = sizeOf(weights.shapes.get(a) as readonly number[]);
  const piece = Math.min(count, 2 ** 20);
  const [of_a, of_b] = [new Float32Array(piece), new Float32Array(piece)];
  for (let from = 0; from < count; from += piece) {
    const length = Math.min(piece, count - from);
    const [some_a, some_b] = [of_a.subarray(0, length), of_b.subarray(0, length)];
    weights.read(a, some_a, from);
    weights.read(b, some_b, from);
    if (!some_a.every((value, i) => value === some_b[i])) return false;
  }
  return true;
}

/** Throws a CheckpointError with the count of a tensor's numbers that are NaN, infinite or beyond float32. */
export function refuseNonFinite(path: string, name: string, data: Float32Array): void {
  let count = 0;
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) count++;
  if (count === 0) return;
  throw new CheckpointError(
    `${path}: ${count} of ${data.length} numbers of ${name} are NaN, infinite or beyond float32`,
    "Use an earlier checkpoint, or export the model again: nothing can be computed with these.",
  );
}

interface Inspected extends ModelFolderInfo {
  readonly weights: SafetensorsFile;
  /** Names of the files' tensors, by the names of `parameterSpecs`. */
  readonly names: ReadonlyMap<string, string>;
}

/** Checks a folder's claims against one another. */
function inspect(folder: string): Inspected {
  const { config, recordedHeads, className } = readConfig(folder);
  const { languageHead, huggingFace } = architectureOf(config);
  const weights = openWeights(folder);
  const { path } = weights;
  const shapes = new Map<string, readonly number[]>();
  const names = new Map<string, string>();
  for (const [name, shape] of weights.shapes) {
    const known = huggingFace.nameOf?.(name) ?? name;
    const other = names.get(known);
    if (other !== undefined)
      throw new CheckpointError(
        `${path} has ${known} twice, as ${other} and ${name}`,
        "Save the model again with transformers' save_pretrained.",
      );
    shapes.set(known, shape);
    names.set(known, name);
  }
  const heads: readonly Head[] = recordedHeads ?? [headOf({ path, className, classes: huggingFace.classes, shapes })];
  // Names and shapes are compared one by one only if the file has as many tensors as the layers need.
  if (config.layers > shapes.size)
    throw new CheckpointError(
      `${path} has ${shapes.size} tensors, and config.json wants ${config.layers} layers`,
      "config.json and the weights are of different models: copy both again from one place.",
    );
  const large = whyTooLarge(parameterCount(config, heads));
  if (large !== null)
    throw new CheckpointError(`the model in ${folder} is too large: ${large}`, "Give a smaller model.");
  const wanted = parameterSpecs(config, heads).map(({ name, shape }) => ({ name, shape }));
  if (heads.includes("lm") && config.tieEmbeddings && shapes.has(languageHead.own))
    wanted.push({ name: languageHead.own, shape: [config.vocabularySize, config.width] });
  for (const { name, shape } of wanted) {
    const found = shapes.get(name);
    if (found === undefined && name === "score.bias") continue;
    if (found === undefined)
      throw new CheckpointError(
        `${path} has no parameter ${name}`,
        "config.json and the weights are of different models, or the download is not complete: copy both again from one place.",
      );
    if (found.join() === shape.join()) {
      weights.check(names.get(name) as string);
      continue;
    }
    if (name === "score.weight" && found.length === 2 && found[0] !== 1) throw manyLabels(path, found[0] as number);
    throw new CheckpointError(
      `${path}: ${name} has shape [${found}], config.json wants [${shape}]`,
      "config.json and the weights are of different models: copy both again from one place, or correct the sizes in config.json.",
    );
  }
  const known = new Set(wanted.map(({ name }) => name));
  const head = languageHead.own.slice(0, languageHead.own.lastIndexOf(".") + 1);
  const idle = (name: string) =>
    buffers.test(name) || valueHead.test(name) || (!heads.includes("lm") && name.startsWith(head));
  // transformers would drop these with a warning: the model would compute something else than the file's.
  const homeless = [...names.keys()].filter((name) => !known.has(name) && !idle(name));
  if (homeless.length > 0) {
    const more = homeless.length > 1 ? ` and ${homeless.length - 1} more such tensors` : "";
    throw new CheckpointError(
      `${path} has ${homeless[0]}${more}, for which the model of config.json has no place`,
      "config.json and the weights are of different models: check its number of layers and its biases.",
    );
  }
  return { weights, config, heads, names };
}

/** Tensors that are no parameters: older files of GPT-2, GPT-NeoX and Llama hold masks, frequencies and their cosines. */
const buffers = /\.(attn|attention)\.(bias|masked_bias)$|\.rotary_emb(_local)?\.\w*(inv_freq|cos_cached|sin_cached)$/;

/** The value head that TRL saves beside a language model, which computes the same without it. */
const valueHead = /^v_head\./;

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

function readConfig(folder: string): { config: KnownConfig; recordedHeads: Head[] | null; className: string } {
  const path = join(folder, "config.json");
  // Says what the folder has instead.
  if (!existsSync(path)) weightFilesIn(folder);
  const file = new HfConfig(path);
  refuseOtherWeights(file);
  const { model_type: family, ballast_heads: recorded, architectures } = file.json;
  file.refuseCode();
  if (typeof family !== "string" || !Object.hasOwn(families, family)) {
    const are = familyNames.length === 1 ? "is" : "are";
    throw file.error(
      `model_type is ${JSON.stringify(family)}; only ${familyNames.join(", ")} ${are} supported`,
      textModelHint(family, file, folder),
    );
  }
  file.refuseUncomputed();
  const known = family as Family;
  const config = { family: known, ...families[known].huggingFace.read(file) };
  const recordedHeads = Array.isArray(recorded) ? recorded.filter((head) => head === "lm" || head === "scalar") : null;
  if (recordedHeads?.length === 0) throw file.error("ballast_heads names neither lm nor scalar");
  const [className] = Array.isArray(architectures) ? (architectures as unknown[]) : [];
  return { config, recordedHeads, className: typeof className === "string" ? className : "" };
}

/** How to take the text model out of a model of text and images; undefined for every other. */
function textModelHint(family: unknown, { json }: HfConfig, folder: string): string | undefined {
  const { model_type: inner } = { ...(json.text_config as { model_type?: unknown } | undefined) };
  const text = inner ?? `${family}_text`;
  if (typeof json.text_config !== "object" || !Object.hasOwn(families, text as string)) return undefined;
  if (family !== "gemma3") return `Only its text model, a ${text}, could be read: save that in a folder of its own.`;
  const python =
    `from transformers import AutoModelForCausalLM as M, AutoTokenizer as T, Gemma3ForCausalLM as G; d = ${JSON.stringify(folder)}; m = M.from_pretrained(d, dtype="auto"); ` +
    `t = G(m.config.text_config).to(m.dtype); t.model = m.model.language_model; t.lm_head = m.lm_head; t.save_pretrained(d + "-text"); T.from_pretrained(d).save_pretrained(d + "-text")`;
  return `It reads images, too. Save its text model, a gemma3_text, in a folder of its own, after pip install torch transformers: python -c '${python}'`;
}

/** Refuses weights that are not plain numbers, or not where they are looked for. */
function refuseOtherWeights(file: HfConfig): void {
  const { quantization_config: quantised, transformers_weights: named } = file.json;
  if (quantised !== undefined && quantised !== null) {
    const method = (quantised as { quant_method?: unknown }).quant_method ?? "an unnamed method";
    throw new CheckpointError(
      `${file.path}: the weights are quantised (quantization_config: ${method}), and cannot be trained`,
      "Give the model that this one was quantised from, in bf16, fp16 or fp32.",
    );
  }
  if (named !== undefined && named !== null && named !== weightsFile && named !== indexFile)
    throw file.error(`transformers_weights is ${JSON.stringify(named)}; only ${weightsFile} and ${indexFile} are read`);
}
