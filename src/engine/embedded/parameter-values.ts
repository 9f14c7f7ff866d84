/** Values of a model's parameters by name: read from a file on demand, or held in arrays that models may share. */
import type { NamedTensor, TensorSource } from "../../models/safetensors.ts";

export interface Values extends TensorSource {
  /** The array of a value that is never written, so that models may share it; undefined if there is none. */
  readonly held?: (name: string) => Float32Array | undefined;
}

/** Arrays in memory as values, which a model copies. */
export function valuesIn(named: ReadonlyMap<string, NamedTensor>): Values {
  return {
    shapes: new Map([...named].map(([name, { shape }]) => [name, shape])),
    read: (name, into) => into.set((named.get(name) as NamedTensor).data),
  };
}
