/**
 * One model in the engine's memory: what is trained of it in one flat array, the accumulated gradient and Adam's moments in arrays of the same size,
 * and what is frozen in arrays that it may share with other models.
 */
import { join } from "node:path";
import { writeAdapterFolder } from "../../models/adapter-folder.ts";
import { parameterSpecs } from "../../models/family.ts";
import { optimizerFile, refuseNonFinite, writeModelFolder } from "../../models/hf-folder.ts";
import { checkConfig } from "../../models/model-size.ts";
import { initialValues, type ParameterSpec } from "../../models/parameters.ts";
import { type NamedTensor, openSafetensors, writeSafetensors } from "../../models/safetensors.ts";
import type { Value } from "../../tensor/session.ts";
import { CheckpointError, EngineError } from "../../util/errors.ts";
import type { HeadKind, ModelConfig, ModelInfo, ScalarInit } from "../engine.ts";
import { type Values, valuesIn } from "./parameter-values.ts";
import type { SharedWeights } from "./shared-weights.ts";

export interface ModelOptions {
  readonly id: string;
  readonly config: ModelConfig;
  readonly heads: readonly HeadKind[];
  readonly scalarInit: ScalarInit;
  readonly seed: number;
  /** Initial values; parameters that it lacks are initialised. */
  readonly from?: Values;
  /** Whether nothing of it is trained. */
  readonly frozen?: boolean;
  /** The weights that it shares with other models, if it was read from a folder to be shared. */
  readonly trunk?: SharedWeights | null;
}

/** Name of the entry that holds Adam's step count. */
const stepCount = "step";

export class Model {
  readonly info: ModelInfo;
  /** The parameters that receive gradients and Adam's updates; the others are frozen. */
  readonly trainable: readonly ParameterSpec[];
  /** The trainable parameters, one after the other. */
  readonly weights: Float32Array;
  /** Whether nothing of it is trained, whatever its parameters. */
  readonly frozen: boolean;
  readonly trunk: SharedWeights | null;
  /** Calls of forwardBackward since the last step. */
  accumulated = 0;
  /** Steps of Adam so far: t of the bias correction. */
  steps = 0;
  readonly #specs: readonly ParameterSpec[];
  /** The frozen parameters' arrays, which are never written unless they are among `#owned`. */
  readonly #frozen = new Map<string, Float32Array>();
  readonly #owned = new Set<string>();
  #gradients: Float32Array | null = null;
  #moments: { m: Float32Array; v: Float32Array } | null = null;

  constructor({ id, config, heads, scalarInit, seed, from, frozen = false, trunk = null }: ModelOptions) {
    if (heads.length === 0) throw new EngineError("a model needs at least one head: lm or scalar");
    checkConfig(config, heads);
    this.#specs = parameterSpecs(config, heads, scalarInit);
    this.frozen = frozen;
    this.trunk = trunk;
    this.trainable = frozen ? [] : this.#specs.filter(({ trainable }) => trainable);
    const trained = total(this.trainable);
    const sizes = { parameters: total(this.#specs), trained };
    this.info = { id, config, heads, ...sizes };
    this.weights = new Float32Array(trained);
    this.become({ from, seed });
  }

  /** Resets the values as in a new model, without gradient and optimizer. */
  become({ from, seed }: Pick<ModelOptions, "from" | "seed">): void {
    const trained = new Map(this.trainableWeights().map(({ spec, part }) => [spec.name, part]));
    this.#owned.clear();
    for (const spec of this.#specs) {
      const known = from?.shapes.has(spec.name) === true;
      const held = known ? from?.held?.(spec.name) : undefined;
      const part = trained.get(spec.name);
      if (part === undefined && held !== undefined) {
        this.#frozen.set(spec.name, held);
        continue;
      }
      const own = part ?? new Float32Array(count(spec.shape));
      if (known) from?.read(spec.name, own);
      else own.set(initialValues(spec, seed));
      if (part === undefined) this.#frozen.set(spec.name, own);
    }
    this.clearGradients();
    this.steps = 0;
    for (const moment of Object.values(this.#moments ?? {})) moment.fill(0);
  }

  save(folder: string, { optimizer }: { optimizer: boolean }): void {
    const { config, heads } = this.info;
    const model = { config, heads, tensors: this.named() };
    if (config.adapter === undefined) writeModelFolder(folder, model);
    else {
      if (this.trunk === null)
        throw new EngineError(`model ${this.info.id} has an adapter, and no folder of its base to name`);
      writeAdapterFolder(folder, { ...model, base: { folder: this.trunk.folder, weights: this.trunk.hash() } });
    }
    if (optimizer) {
      // A model that never took a step, such as an average, has none.
      const { m, v } = this.#moments ?? { m: null, v: null };
      const tensors = new Map<string, NamedTensor>();
      for (const [kind, flat] of Object.entries({ m, v })) {
        const entries = flat === null ? [] : parts(this.trainable, flat);
        for (const { spec, part } of entries) tensors.set(`${kind}.${spec.name}`, { shape: spec.shape, data: part });
      }
      writeSafetensors(join(folder, optimizerFile), tensors, { metadata: { [stepCount]: String(this.steps) } });
    }
  }

  /** Throws an EngineError if the other model trains different parameters. */
  copyOptimizer(from: Model): void {
    if (total(from.trainable) !== total(this.trainable))
      throw new EngineError(`the optimizer of ${from.info.id} is of other heads than those of its copy`);
    this.steps = from.steps;
    if (from.#moments === null) return;
    this.moments().m.set(from.#moments.m);
    this.moments().v.set(from.#moments.v);
  }

  /** Reads the optimizer's state from a folder. Throws a CheckpointError if there is none, or it is that of another model. */
  loadOptimizer(folder: string): void {
    const path = join(folder, optimizerFile);
    const file = openSafetensors(path);
    this.steps = Number(file.metadata[stepCount]);
    if (!Number.isInteger(this.steps)) throw new CheckpointError(`${path} has no step count`);
    if (this.steps === 0 && file.shapes.size === 0) return;
    const { m, v } = this.moments();
    for (const [kind, flat] of [
      ["m", m],
      ["v", v],
    ] as const) {
      for (const { spec, part } of parts(this.trainable, flat)) {
        const name = `${kind}.${spec.name}`;
        if (file.shapes.get(name)?.join() !== spec.shape.join())
          throw new CheckpointError(`${path} does not fit the model: ${name}`);
        file.read(name, part);
        refuseNonFinite(path, name, part);
      }
    }
  }

  /** The parameters' values, for a copy of the model, which shares what this model never writes. */
  values(): Values {
    const named = this.named();
    return {
      ...valuesIn(named),
      held: (name) => (this.#owned.has(name) ? undefined : this.#frozen.get(name)),
    };
  }

  /** The parameters by name, in storage order, as views. */
  named(): Map<string, NamedTensor> {
    const trained = new Map(this.trainableWeights().map(({ spec, part }) => [spec.name, part]));
    return new Map(
      this.#specs.map(({ name, shape }) => {
        const data = (trained.get(name) ?? this.#frozen.get(name)) as Float32Array;
        return [name, { shape, data }];
      }),
    );
  }

  /** The parameters as inputs of a graph. */
  inputs(prefix = ""): Record<string, Value> {
    return Object.fromEntries([...this.named()].map(([name, value]) => [`${prefix}${name}`, value]));
  }

  /** The trainable parameters, for an optimizer to write. */
  trainableWeights(): ParameterPart[] {
    return parts(this.trainable, this.weights);
  }

  /** A parameter's own array, to be written: a frozen one that may be shared is copied first. */
  writable(name: string): Float32Array {
    const trained = this.trainableWeights().find(({ spec }) => spec.name === name);
    if (trained !== undefined) return trained.part;
    const value = this.#frozen.get(name);
    if (value === undefined) throw new EngineError(`model ${this.info.id} has no parameter ${name}`);
    if (this.#owned.has(name)) return value;
    const own = value.slice();
    this.#frozen.set(name, own);
    this.#owned.add(name);
    return own;
  }

  /** The accumulated gradient; anything if nothing is accumulated. */
  gradients(): ParameterPart[] {
    this.#gradients ??= new Float32Array(total(this.trainable));
    return parts(this.trainable, this.#gradients);
  }

  moments(): { m: Float32Array; v: Float32Array } {
    const zeros = () => new Float32Array(total(this.trainable));
    this.#moments ??= { m: zeros(), v: zeros() };
    return this.#moments;
  }

  clearGradients(): void {
    this.accumulated = 0;
  }
}

/** A parameter's share of a flat array, as a view. */
export interface ParameterPart {
  readonly spec: ParameterSpec;
  readonly part: Float32Array;
}

/** Views of a flat array, parameter by parameter. */
export function parts(specs: readonly ParameterSpec[], flat: Float32Array): ParameterPart[] {
  let offset = 0;
  return specs.map((spec) => {
    const part = flat.subarray(offset, offset + count(spec.shape));
    offset += part.length;
    return { spec, part };
  });
}

/** Views as named inputs or outputs of a graph, in the parameters' own shapes or the given ones. */
export function valuesOf(
  prefix: string,
  parts: readonly ParameterPart[],
  shapeOf: (spec: ParameterSpec) => readonly number[] = (spec) => spec.shape,
): Record<string, Value> {
  return Object.fromEntries(
    parts.map(({ spec, part }) => [`${prefix}${spec.name}`, { data: part, shape: shapeOf(spec) }]),
  );
}

function count(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

function total(specs: readonly ParameterSpec[]): number {
  return specs.reduce((sum, { shape }) => sum + count(shape), 0);
}
