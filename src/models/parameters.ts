/** A model's parameters: what is known about each before it has a value, its first value, and its place in a graph. */
import type { Tensor } from "../tensor/graph.ts";
import { random } from "../util/random.ts";

export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** The parameter's group: `embeddings`, `block.i`, `final`, `lm_head` or `score`. */
  readonly group: string;
  /** Whether weight decay applies: matrices only. */
  readonly decays: boolean;
  /** Standard deviation of the initial values around 0; null for scales of norms, which start at 1. */
  readonly deviation: number | null;
  /** Present if initial values are uniform within plus and minus this number. */
  readonly bound?: number;
  /** Whether it is trained: a frozen parameter keeps its value to the bit, and has neither gradient nor optimizer state. */
  readonly trainable: boolean;
}

/** Makes the specs of one group. */
export function specsOf(group: string) {
  const spec = (name: string, shape: readonly number[], deviation: number | null): ParameterSpec => ({
    name,
    shape,
    group,
    decays: shape.length === 2,
    deviation,
    trainable: true,
  });
  return {
    uniform: (name: string, shape: readonly [number, number], bound: number) => ({ ...spec(name, shape, 0), bound }),
    matrix: (name: string, shape: readonly [number, number], deviation: number) => spec(name, shape, deviation),
    zeros: (name: string, size: number) => spec(name, [size], 0),
    ones: (name: string, size: number) => spec(name, [size], null),
  };
}

/** Initial values of one parameter: a function of the seed and the name only. */
export function initialValues(spec: ParameterSpec, seed: number): Float32Array {
  const values = new Float32Array(spec.shape.reduce((a, b) => a * b, 1));
  if (spec.bound !== undefined) {
    const stream = random(seed, "initial", spec.name);
    for (let i = 0; i < values.length; i++) values[i] = spec.bound * (2 * stream.uniform() - 1);
    return values;
  }
  if (spec.deviation === null) return values.fill(1);
  if (spec.deviation === 0) return values;
  const stream = random(seed, "initial", spec.name);
  for (let i = 0; i < values.length; i++) values[i] = spec.deviation * stream.normal();
  return values;
}

/** Parameters by name: inputs of the graph, since they change at every step. */
export type Parameters = ReadonlyMap<string, Tensor>;

export function parameter(parameters: Parameters, name: string): Tensor {
  const found = parameters.get(name);
  if (found === undefined) throw new Error(`no parameter ${name}`);
  return found;
}
