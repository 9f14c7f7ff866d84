/**
 * Adapters as folders in PEFT's format: `adapter_config.json` and `adapter_model.safetensors`, beside which Ballast records the base's place and hash,
 * so that a moved workspace still works and another base is noticed.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { cachedPath, type HubReference, parseHubReference } from "../hub/index.ts";
import { writeDurably } from "../util/durable.ts";
import { CheckpointError } from "../util/errors.ts";
import { adapterConfigFile, adapterWeightsFile, hasWeights, isAdapterFolder } from "../util/weight-files.ts";
import { factorNames } from "./adapter.ts";
import { architectureOf, blockProjections, parameterSpecs } from "./family.ts";
import { type ModelFolderInfo, readModelConfig, refuseNonFinite } from "./hf-folder.ts";
import type { AdapterModule, DecoderConfig, Head } from "./model-config.ts";
import { PeftConfig, peftConfigOf } from "./peft-config.ts";
import { type NamedTensor, openSafetensors, type TensorSource, writeSafetensors } from "./safetensors.ts";

const recordFile = "ballast_adapter.json";
/** Most bytes of it: a path, a hash and two names. */
const maxRecordBytes = 64 * 2 ** 10;
/** PEFT's names of parameters begin with it. */
const prefix = "base_model.model.";
/** The module of a head that is no embedding: transformers 5 has it under this name in every class, whatever its name in files. */
const headModule = "lm_head";

/** What Ballast records of an adapter's base. */
interface BaseRecord {
  /** The base's folder, relative to the adapter's. */
  readonly base: string;
  /** A hash of the base's weights. */
  readonly weights: string;
  readonly heads: readonly Head[];
}

/** The folder of an adapter's base model, also one that was pulled from the Hub. Throws a CheckpointError if it is not found. */
export function adapterBase(folder: string): string {
  const config = new PeftConfig(folder);
  const recorded = recordIn(folder)?.base;
  const places = [
    ...(recorded === undefined ? [] : [join(folder, recorded)]),
    ...(config.base === null ? [] : [resolve(config.base), join(folder, config.base)]),
  ];
  const onHub = config.base === null ? null : namedOnHub(config.base);
  const pulled = onHub === null ? null : cachedPath(onHub);
  if (pulled !== null) places.push(pulled);
  const found = places.find((place) => existsSync(join(place, "config.json")) && hasWeights(place));
  if (found !== undefined) return found;
  throw new CheckpointError(
    `the adapter in ${folder} stands on ${config.base ?? "an unnamed model"}, which is not here: looked in ${places.join(", ") || "no place"}`,
    `Write the folder of its base model into base_model_name_or_path of ${join(folder, adapterConfigFile)}.${
      onHub === null ? "" : ` If it is one of the Hugging Face Hub: ballast pull ${onHub.id}`
    }`,
  );
}

/** PEFT records a base of the Hub by its bare name. */
function namedOnHub(base: string): HubReference | null {
  if (!/^[\w.-]+\/[\w.-]+$/.test(base)) return null;
  try {
    return parseHubReference(base);
  } catch {
    return null;
  }
}

/** The configuration of a folder's model, or of an adapter's base, without the weights. Throws a CheckpointError. */
export function readBaseConfig(folder: string): ReturnType<typeof readModelConfig> {
  return readModelConfig(isAdapterFolder(folder) ? adapterBase(folder) : folder);
}

/** An adapter's content, whose numbers are read on demand. */
export interface OpenedAdapter extends TensorSource {
  /** The base's configuration with the adapter. */
  readonly config: DecoderConfig;
  readonly heads: readonly Head[];
  /** The recorded hash of the base's weights; null if the adapter is not Ballast's. */
  readonly baseWeights: string | null;
  /** The dropout that it was trained with. */
  readonly dropout: number;
}

/** Throws a CheckpointError if an adapter records other weights than its base in `place` has now, whose hash is `hash`. */
export function checkBaseWeights(
  folder: string,
  { adapter, place, hash }: { readonly adapter: OpenedAdapter; readonly place: string; readonly hash: () => string },
): void {
  if (adapter.baseWeights === null || adapter.baseWeights === hash()) return;
  throw new CheckpointError(
    `the adapter in ${folder} was trained on other weights than those now in ${place}`,
    "Restore the base: an adapter means nothing on another one.",
  );
}

/** Opens an adapter on its base. Throws a CheckpointError that names what does not fit, and each parameter that PEFT would ignore silently. */
export function openAdapterFolder(folder: string, base: ModelFolderInfo): OpenedAdapter {
  const peft = new PeftConfig(folder);
  const path = join(folder, adapterWeightsFile);
  if (!existsSync(path)) throw withoutFactors(folder);
  const file = openSafetensors(path);
  const { huggingFace } = architectureOf(base.config);
  const known = (name: string) => huggingFace.nameOf?.(name) ?? name;
  const projections = new Map(blockProjections(base.config).map((one) => [one.name, one]));
  const stored = new Map<string, string>();
  const modules = new Map<string, AdapterModule>();
  const whole = new Set<string>();
  for (const name of file.shapes.keys()) {
    const own = name.startsWith(prefix) ? name.slice(prefix.length) : name;
    const factor = /^(.*)\.lora_([AB])\.weight$/.exec(own);
    const module = moduleName(known(factor === null ? own : `${factor[1]}.weight`));
    const beside = /^(.*)\.(base_layer\.weight|lora_embedding_[AB])$/.exec(own);
    const enlarged = vocabularyOf(known(own), { base, shape: file.shapes.get(name)! });
    if (factor === null && enlarged !== null)
      throw peft.error(
        `${path} holds ${own} of ${enlarged} rows, and the base's vocabulary has ${base.config.vocabularySize}: it was changed before the adapter was trained (resize_token_embeddings), or the adapter belongs to another base`,
        `Merge the adapter with PEFT, and give the whole model: base.resize_token_embeddings(${enlarged}); PeftModel.from_pretrained(base, ${JSON.stringify(folder)}).merge_and_unload().save_pretrained(DIR), and the adapter's tokenizer beside it.`,
      );
    if (beside !== null)
      throw peft.error(
        `${path} adapts ${beside[1]}, which is no projection of a block`,
        "Merge the adapter with PEFT (merge_and_unload) and give the whole model.",
      );
    if (factor === null) {
      // PEFT's names are those of the module in memory, which a file of the whole model may spell differently.
      if (!peft.wholeNames().some((one) => module.endsWith(one) || moduleName(own).endsWith(one)))
        throw peft.error(
          `${path} holds ${name}, which is no factor of a product, and modules_to_save does not name it`,
        );
      if (module !== "score") whole.add(module);
      stored.set(known(own), name);
      continue;
    }
    const saved = factor[1] as string;
    if (!projections.has(module))
      throw peft.error(`${path} holds ${name}, and the base has no projection ${module} for an adapter`);
    if (!peft.targets(saved))
      throw peft.error(`${path} holds ${name}, which target_modules does not mean: PEFT would ignore it silently`);
    modules.set(module, { name: module, ...peft.moduleOf(saved) });
    const { a, b } = factorNames(module);
    stored.set(factor[2] === "A" ? a : b, name);
  }
  const missing = [...projections.keys()].find((name) => peft.targets(name) && !modules.has(name));
  if (missing !== undefined) throw peft.error(`${path} lacks the adapter of ${missing}, which target_modules means`);
  const heads = headsOf({ peft, folder, base, scores: stored.has("score.weight") });
  const absent = wholeParameters(peft, base.config, heads).find((name) => !stored.has(name));
  if (absent !== undefined)
    throw peft.error(
      `${path} lacks ${absent}, which modules_to_save names`,
      "Copy the adapter's folder again. If that module was not trained, take its name out of modules_to_save.",
    );
  const embedding = architectureOf(base.config).languageHead.tied;
  if (base.config.tieEmbeddings && whole.has(moduleName(embedding)))
    throw peft.error(`modules_to_save holds ${moduleName(embedding)}, which the base ties to its head`);
  const inOrder = [...projections.keys()].flatMap((name) => modules.get(name) ?? []);
  const adapter = { modules: inOrder, rslora: peft.rslora, whole: [...whole] };
  const config = { ...base.config, adapter };
  checkShapes({ peft, path, config, heads, stored, shapes: file.shapes });
  return {
    config,
    heads,
    baseWeights: recordIn(folder)?.weights ?? null,
    dropout: peft.dropout,
    shapes: new Map([...stored].map(([name, own]) => [name, file.shapes.get(own) as readonly number[]])),
    read(name, into) {
      file.read(stored.get(name) ?? name, into);
      refuseNonFinite(path, name, into);
    },
  };
}

/** The base's parameters whose modules `modules_to_save` names. PEFT adds names of classifiers' heads of its own accord, and ignores what a base has not. */
function wholeParameters(peft: PeftConfig, config: DecoderConfig, heads: readonly Head[]): string[] {
  const names = peft.wholeNames();
  const { own } = architectureOf(config).languageHead;
  const parameters = new Set(parameterSpecs(config, heads).map(({ name }) => name));
  if (heads.includes("lm")) parameters.add(own);
  return [...parameters].filter((name) => {
    const modules = [moduleName(name), ...(name === own ? [headModule] : [])];
    return !name.startsWith("score.") && names.some((one) => modules.some((module) => module.endsWith(one)));
  });
}

export interface WrittenAdapter {
  readonly config: DecoderConfig;
  readonly heads: readonly Head[];
  /** All of the model's parameters, of which those of the adapter are written. */
  readonly tensors: ReadonlyMap<string, NamedTensor>;
  readonly base: { readonly folder: string; readonly weights: string };
}

/** Writes an adapter into an existing folder. */
export function writeAdapterFolder(folder: string, { tensors, ...adapter }: WrittenAdapter): void {
  const { config, heads } = adapter;
  const trained = parameterSpecs(config, heads).filter(({ trainable }) => trainable);
  const { own } = architectureOf(config).languageHead;
  const peftName = (name: string) => `${prefix}${name === own ? `${headModule}.weight` : name}`;
  const written = trained.map(({ name }) => [peftName(name), tensors.get(name) as NamedTensor] as const);
  writeSafetensors(join(folder, adapterWeightsFile), new Map(written));
  writeAdapterConfig(folder, adapter);
}

/** Writes what goes with an adapter's numbers, for an engine that writes these itself. */
export function writeAdapterConfig(folder: string, { config, heads, base }: Omit<WrittenAdapter, "tensors">): void {
  const { adapter } = config;
  if (adapter === undefined) throw new Error("no adapter to write");
  const { layout, languageHead } = architectureOf(config);
  const whole = adapter.whole.map((name) => (`${name}.weight` === languageHead.own ? headModule : name));
  const scores = heads.includes("scalar");
  const json = peftConfigOf(
    { ...adapter, whole },
    {
      projections: blockProjections(config),
      base: resolve(base.folder),
      // PEFT has no task with both heads.
      task: scores ? (heads.includes("lm") ? null : "SEQ_CLS") : "CAUSAL_LM",
      heads: scores ? ["score"] : [],
      fanInFanOut: layout === "inputs-outputs",
    },
  );
  writeDurably(join(folder, adapterConfigFile), `${JSON.stringify(json, null, 2)}\n`);
  const place = relative(resolve(folder), resolve(base.folder)).split(sep).join("/");
  const record: BaseRecord = { base: place, weights: base.weights, heads };
  writeDurably(join(folder, recordFile), `${JSON.stringify(record, null, 2)}\n`);
}

/** Whether an adapter's folder records the weights of its base. */
export function recordsBase(folder: string): boolean {
  return recordIn(folder) !== null;
}

function recordIn(folder: string): BaseRecord | null {
  const path = join(folder, recordFile);
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) return null;
  try {
    if (!status.isFile() || status.size > maxRecordBytes) throw new Error("it is not the file that Ballast writes");
    const { base, weights, heads } = JSON.parse(readFileSync(path, "utf8"));
    if (typeof base === "string" && typeof weights === "string" && Array.isArray(heads))
      return { base, weights, heads };
  } catch {
    // Reported below.
  }
  throw new CheckpointError(
    `${path} is damaged`,
    "Restore it, or delete it: base_model_name_or_path then says where the base is.",
  );
}

function headsOf(of: {
  readonly peft: PeftConfig;
  readonly folder: string;
  readonly base: ModelFolderInfo;
  readonly scores: boolean;
}): readonly Head[] {
  const { peft, folder, base, scores } = of;
  if (peft.classifies && !scores)
    throw peft.error("it is a classifier's adapter (SEQ_CLS) without the classifier's head, score");
  const recorded = recordIn(folder)?.heads;
  if (recorded !== undefined) return recorded;
  if (!scores) return base.heads;
  return peft.classifies || !base.heads.includes("lm") ? ["scalar"] : ["lm", "scalar"];
}

function checkShapes(of: {
  readonly peft: PeftConfig;
  readonly path: string;
  readonly config: DecoderConfig;
  readonly heads: readonly Head[];
  readonly stored: ReadonlyMap<string, string>;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}): void {
  const { peft, path, config, heads, stored, shapes } = of;
  const specs = parameterSpecs(config, heads);
  const wanted = new Map(specs.map((spec) => [spec.name, spec]));
  for (const [name, own] of stored) {
    const spec = wanted.get(name);
    if (spec === undefined) throw peft.error(`${path} holds ${own}, which the model lacks`);
    const found = shapes.get(own)?.join();
    if (found !== spec.shape.join())
      throw peft.error(
        `${path}: ${own} has shape [${found}], where its configuration on this base wants [${spec.shape}]`,
        "The adapter belongs to another base, or its ranks are not those of adapter_config.json.",
      );
  }
  for (const { name, trainable } of specs)
    if (trainable && !stored.has(name) && name !== "score.bias") throw peft.error(`${path} lacks ${name}`);
}

/** Rows of an embedding or a head that has not as many as the base's vocabulary; null for every other parameter. */
function vocabularyOf(
  name: string,
  { base, shape }: { readonly base: ModelFolderInfo; readonly shape: readonly number[] },
): number | null {
  const { tied, own } = architectureOf(base.config).languageHead;
  const [rows = 0] = shape;
  return (name === tied || name === own) && rows !== base.config.vocabularySize ? rows : null;
}

/** Says what a folder has in place of PEFT's file of an adapter's numbers, and how to convert it. */
function withoutFactors(folder: string): CheckpointError {
  const older = "adapter_model.bin";
  if (!existsSync(join(folder, older)))
    return new CheckpointError(
      `${folder} has ${adapterConfigFile}, and no ${adapterWeightsFile}`,
      "Copy the file from where the folder came from.",
    );
  const python =
    `import torch; from safetensors.torch import save_file; d = ${JSON.stringify(`${folder}/`)}; ` +
    `t = torch.load(d + "${older}", map_location="cpu", weights_only=True); ` +
    `save_file({n: x.contiguous() for n, x in t.items()}, d + "${adapterWeightsFile}")`;
  return new CheckpointError(
    `${folder} holds its adapter as ${older}, and Ballast reads safetensors`,
    `Convert it, after pip install torch safetensors: python -c '${python}'`,
  );
}

/** A parameter's module: its name without the last part. */
function moduleName(parameter: string): string {
  return parameter.slice(0, Math.max(0, parameter.lastIndexOf(".")));
}
