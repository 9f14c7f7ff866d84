/** One model in the engine's memory: parameters, accumulated gradient and Adam's moments, each one flat array. */
import { join } from "node:path";
import { optimizerFile, readModelFolder, refuseNonFinite, writeModelFolder } from "../../models/hf-folder.ts";
import {
  checkConfig,
  initialValues,
  type ParameterSpec,
  parameterSpecs,
  type TextIds,
  withTextIds,
} from "../../models/model-config.ts";
import { type NamedTensor, readSafetensors, writeSafetensors } from "../../models/safetensors.ts";
import type { Value } from "../../tensor/session.ts";
import { CheckpointError, EngineError } from "../../util/errors.ts";
import type { HeadKind, ModelConfig, ModelInfo, ScalarInit } from "../engine.ts";

export interface ModelOptions {
  readonly id: string;
  readonly config: ModelConfig;
  readonly heads: readonly HeadKind[];
  readonly scalarInit: ScalarInit;
  readonly seed: number;
  /** Values to start from; a parameter that is not there is initialised. */
  readonly from?: ReadonlyMap<string, NamedTensor>;
}

/** Name of the entry that holds Adam's step count. */
const stepCount = "step";

export class Model {
  readonly info: ModelInfo;
  readonly specs: readonly ParameterSpec[];
  readonly weights: Float32Array;
  /** Calls of forwardBackward since the last step. */
  accumulated = 0;
  /** Steps of Adam so far: t of the bias correction. */
  steps = 0;
  #gradients: Float32Array | null = null;
  #moments: { m: Float32Array; v: Float32Array } | null = null;

  constructor({ id, config, heads, scalarInit, seed, from }: ModelOptions) {
    if (heads.length === 0) throw new EngineError("a model needs at least one head: lm or scalar");
    checkConfig(config, heads);
    this.specs = parameterSpecs(config, heads, scalarInit);
    const size = this.specs.reduce((total, { shape }) => total + count(shape), 0);
    this.info = { id, config, heads, parameters: size };
    this.weights = new Float32Array(size);
    this.become({ from, seed });
  }

  /** Values as of a new model, with neither gradient nor optimizer. */
  become({ from, seed }: Pick<ModelOptions, "from" | "seed">): void {
    for (const { spec, part } of this.parts(this.weights)) {
      part.set(from?.get(spec.name)?.data ?? initialValues(spec, seed));
    }
    this.clearGradients();
    this.steps = 0;
    for (const moment of Object.values(this.#moments ?? {})) moment.fill(0);
  }

  static load(
    folder: string,
    options: Omit<ModelOptions, "config" | "heads" | "from"> & {
      readonly heads?: readonly HeadKind[];
      readonly optimizer: boolean;
      readonly freshScalar: boolean;
      readonly textIds?: TextIds | undefined;
    },
  ): Model {
    const read = readModelFolder(folder);
    const heads = options.heads ?? read.heads;
    if (heads.includes("lm") && !read.heads.includes("lm")) {
      throw new CheckpointError(
        `${folder} holds a reward model or critic: it has a score and no language head, which is needed here`,
        "Give the folder of a language model, such as runs/NAME-1/sft/final or runs/NAME-1/ppo/final.",
      );
    }
    const kept = [...read.tensors].filter(([name]) => !(options.freshScalar && name.startsWith("score.")));
    const config = withTextIds(read.config, options.textIds);
    const model = new Model({ ...options, config, heads, from: new Map(kept) });
    if (options.optimizer) model.#loadOptimizer(join(folder, optimizerFile));
    return model;
  }

  save(folder: string, { optimizer }: { optimizer: boolean }): void {
    const { config, heads } = this.info;
    writeModelFolder(folder, { config, heads, tensors: this.named() });
    if (optimizer) {
      // A model that never took a step, as an average of another, has none.
      const { m, v } = this.#moments ?? { m: null, v: null };
      const tensors = new Map<string, NamedTensor>();
      for (const [kind, flat] of Object.entries({ m, v })) {
        const parts = flat === null ? [] : this.parts(flat);
        for (const { spec, part } of parts) tensors.set(`${kind}.${spec.name}`, { shape: spec.shape, data: part });
      }
      writeSafetensors(join(folder, optimizerFile), tensors, { [stepCount]: String(this.steps) });
    }
  }

  /** Throws EngineError where the other has other parameters. */
  copyOptimizer(from: Model): void {
    if (from.weights.length !== this.weights.length)
      throw new EngineError(`the optimizer of ${from.info.id} is of other heads than those of its copy`);
    this.steps = from.steps;
    if (from.#moments === null) return;
    this.moments().m.set(from.#moments.m);
    this.moments().v.set(from.#moments.v);
  }

  #loadOptimizer(path: string): void {
    const { tensors, metadata } = readSafetensors(path);
    refuseNonFinite(path, tensors);
    this.steps = Number(metadata[stepCount]);
    if (!Number.isInteger(this.steps)) throw new CheckpointError(`${path} has no step count`);
    if (this.steps === 0 && tensors.size === 0) return;
    const { m, v } = this.moments();
    for (const [kind, flat] of [
      ["m", m],
      ["v", v],
    ] as const) {
      for (const { spec, part } of this.parts(flat)) {
        const tensor = tensors.get(`${kind}.${spec.name}`);
        if (tensor === undefined || tensor.data.length !== part.length) {
          throw new CheckpointError(`${path} does not fit the model: ${kind}.${spec.name}`);
        }
        part.set(tensor.data);
      }
    }
  }

  /** The parameters by name, as views. */
  named(): Map<string, NamedTensor> {
    return new Map(this.parts(this.weights).map(({ spec, part }) => [spec.name, { shape: spec.shape, data: part }]));
  }

  /** The accumulated gradient; zeros at first. */
  gradients(): Float32Array {
    this.#gradients ??= new Float32Array(this.weights.length);
    return this.#gradients;
  }

  moments(): { m: Float32Array; v: Float32Array } {
    this.#moments ??= { m: new Float32Array(this.weights.length), v: new Float32Array(this.weights.length) };
    return this.#moments;
  }

  clearGradients(): void {
    this.#gradients?.fill(0);
    this.accumulated = 0;
  }

  /** Views of a flat array, parameter by parameter. */
  parts(flat: Float32Array): { spec: ParameterSpec; part: Float32Array }[] {
    let offset = 0;
    return this.specs.map((spec) => {
      const part = flat.subarray(offset, offset + count(spec.shape));
      offset += part.length;
      return { spec, part };
    });
  }

  /** A flat array as named inputs or outputs of a graph, in the parameters' own shapes or as given. */
  values(
    prefix: string,
    flat: Float32Array,
    shapeOf: (spec: ParameterSpec) => readonly number[] = (spec) => spec.shape,
  ): Record<string, Value> {
    const values: Record<string, Value> = {};
    for (const { spec, part } of this.parts(flat))
      values[`${prefix}${spec.name}`] = { data: part, shape: shapeOf(spec) };
    return values;
  }
}

export function count(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
