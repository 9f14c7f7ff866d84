/** What the PyTorch worker is told of a model's folder: a whole model or an adapter on its base, whose weights may be shared. */
import { factorNames, newAdapter, scaleOf } from "../../models/adapter.ts";
import { adapterBase, checkBaseWeights, openAdapterFolder } from "../../models/adapter-folder.ts";
import { blockProjections, parameterSpecs } from "../../models/family.ts";
import { type OpenedModel, openModelFolder } from "../../models/hf-folder.ts";
import { withTextIds } from "../../models/model-config.ts";
import { checkConfig } from "../../models/model-size.ts";
import { initialValues } from "../../models/parameters.ts";
import { sizeOf, type TensorSource } from "../../models/safetensors.ts";
import { hashOnce } from "../../models/weights-hash.ts";
import { CheckpointError, EngineError } from "../../util/errors.ts";
import { identityOfWeights, isAdapterFolder } from "../../util/weight-files.ts";
import type { HeadKind, LoadModelRequest, ModelConfig, ScalarInit } from "../engine.ts";
import { headsToLoad } from "../heads-to-load.ts";

/** An adapter's base: its folder, and the hash of its weights when they were read. */
export interface AdapterBase {
  readonly folder: string;
  readonly weights: string;
}

interface StateToLoad {
  /** Of the model that is loaded: without adapter if that is merged. */
  readonly config: ModelConfig;
  /** Absent without an adapter. */
  readonly base?: AdapterBase;
  /** The arguments of the worker's loadModel. */
  readonly call: object;
}

/** Throws a CheckpointError if the folder does not fit itself, its base or the requested heads. */
export function stateToLoad(folder: string, request: LoadModelRequest): StateToLoad {
  const { scalarInit = "zero", seed = 0, optimizer = false, freshScalar = false, frozen = false } = request;
  const saved = isAdapterFolder(folder);
  const place = saved ? adapterBase(folder) : folder;
  const whole = openModelFolder(place);
  const adapter = saved ? openAdapterFolder(folder, whole) : null;
  const hash = () => hashOnce(identityOfWeights(place), whole);
  if (adapter) checkBaseWeights(folder, { adapter, place, hash });
  const heads = headsToLoad(folder, { wanted: request.heads, found: (adapter ?? whole).heads });
  const read = withTextIds((adapter ?? whole).config, request.textIds);
  const adds = request.adapter !== undefined && adapter === null;
  const config = adds ? { ...read, adapter: newAdapter(blockProjections(read), request.adapter!) } : read;
  if (heads.length === 0) throw new EngineError("a model needs at least one head: lm or scalar");
  checkConfig(config, heads);
  // To train or to save everything, an adapter is merged into weights of the model's own.
  const merges = adapter !== null && request.adapter === undefined && !frozen;
  if (merges && optimizer)
    throw new CheckpointError(`${folder} is an adapter: its optimizer is not one of all weights`);
  const shares = frozen || config.adapter !== undefined;
  const sources = [...(adapter ? [adapter] : []), whole];
  const call = {
    ...{ folder: place, decoder: config, heads, headsFound: whole.heads, freshScalar, frozen, merge: merges },
    optimizer: optimizer ? folder : null,
    scoreValues: initialScore(config, { heads, scalarInit, seed }),
    own: shares ? ownParameters(config, { heads, scalarInit, seed, freshScalar, sources }) : null,
  };
  if (config.adapter === undefined) return { config, call };
  const { adapter: _, ...without } = config;
  if (merges) return { config: without, call };
  return { config, base: { folder: place, weights: hash() }, call };
}

interface NewValues {
  readonly heads: readonly HeadKind[];
  readonly scalarInit: ScalarInit;
  readonly seed: number;
}

/** What a model on shared weights has for itself: names, groups, shapes and values, from the first source that has them; the scales of its products. */
function ownParameters(
  config: ModelConfig,
  {
    heads,
    scalarInit,
    seed,
    freshScalar,
    sources,
  }: NewValues & { readonly freshScalar: boolean; readonly sources: readonly (TensorSource | OpenedModel)[] },
): object {
  const { adapter } = config;
  const own = parameterSpecs(config, heads, scalarInit).filter(({ group, trainable }) =>
    adapter === undefined ? group === "score" : trainable,
  );
  const values = new Float32Array(own.reduce((sum, { shape }) => sum + sizeOf(shape), 0));
  let at = 0;
  for (const spec of own) {
    const part = values.subarray(at, at + sizeOf(spec.shape));
    at += part.length;
    const fresh = freshScalar && spec.group === "score";
    const source = fresh ? undefined : sources.find(({ shapes }) => shapes.has(spec.name));
    if (source) source.read(spec.name, part);
    else part.set(initialValues(spec, seed));
  }
  const names = new Set(own.map(({ name }) => name));
  const beside = (adapter?.modules ?? []).filter(({ name }) => names.has(factorNames(name).a));
  return {
    parameters: own.map(({ name, group, shape }) => [name, group, shape]),
    values,
    scales: Object.fromEntries(beside.map((module) => [module.name, scaleOf(adapter!, module)])),
  };
}

/** The first values of a scalar head's weights; none for a model without one. */
export function initialScore(config: ModelConfig, { heads, scalarInit, seed }: NewValues): number[] {
  if (!heads.includes("scalar")) return [];
  const spec = parameterSpecs(config, heads, scalarInit).find(({ name }) => name === "score.weight")!;
  return Array.from(initialValues(spec, seed));
}
