/** Merges an adapter's folder into a whole model's, in float32, and counts what the format that is written loses of the change. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeDurably } from "../util/durable.ts";
import { factorNames, scaleOf } from "./adapter.ts";
import { adapterBase, checkBaseWeights, openAdapterFolder } from "./adapter-folder.ts";
import { architectureOf, blockProjections, parameterSpecs } from "./family.ts";
import { openModelFolder, writeModelFolder } from "./hf-folder.ts";
import type { AdapterModule } from "./model-config.ts";
import { toHalves, type WrittenFormat } from "./number-formats.ts";
import { type NamedTensor, sizeOf, type TensorSource } from "./safetensors.ts";
import { hashOfWeightValues } from "./weights-hash.ts";

export interface Merged {
  readonly base: string;
  /** Entries of the adapted matrices that the merge changes in float32. */
  readonly changed: number;
  /** Those of them that the written format rounds back to the base's number. */
  readonly lost: number;
}

/** Writes the whole model into an existing folder. Throws a CheckpointError if the adapter does not fit its base. */
export function mergeAdapter(folder: string, to: string, { format }: { readonly format: WrittenFormat }): Merged {
  const place = adapterBase(folder);
  const base = openModelFolder(place);
  const adapter = openAdapterFolder(folder, base);
  checkBaseWeights(folder, { adapter, place, hash: () => hashOfWeightValues(base) });
  const { adapter: its, ...config } = adapter.config;
  const modules = new Map(its?.modules.map((module) => [`${module.name}.weight`, module]));
  const projections = new Map(blockProjections(config).map((one) => [one.name, one]));
  const transposed = architectureOf(config).layout === "inputs-outputs";
  let [changed, lost] = [0, 0];
  const arrayOf = (source: TensorSource, name: string) => {
    const data = new Float32Array(sizeOf(source.shapes.get(name) as readonly number[]));
    source.read(name, data);
    return data;
  };
  const mergedOf = (name: string, module: AdapterModule) => {
    const before = arrayOf(base, name);
    const { a, b } = factorNames(module.name);
    const { inputs, outputs } = projections.get(module.name) as { inputs: number; outputs: number };
    const after = addProduct(before, {
      ...{ a: arrayOf(adapter, a), b: arrayOf(adapter, b), inputs, outputs, transposed, rank: module.rank },
      scale: scaleOf({ rslora: its?.rslora === true }, module),
    });
    const rounded = (data: Float32Array) => (format === "F32" ? data : toHalves(data, format, name));
    const [from, into] = [rounded(before), rounded(after)];
    for (let i = 0; i < after.length; i++) {
      if (after[i] === before[i]) continue;
      changed++;
      if (from[i] === into[i]) lost++;
    }
    return after;
  };
  const tensors = parameterSpecs(config, adapter.heads).map(({ name, shape }): [string, NamedTensor] => {
    const module = modules.get(name);
    const tensor = {
      shape,
      get data() {
        if (module !== undefined) return mergedOf(name, module);
        const source = adapter.shapes.has(name) ? adapter : base;
        return source.shapes.has(name) ? arrayOf(source, name) : new Float32Array(sizeOf(shape));
      },
    };
    return [name, tensor];
  });
  writeModelFolder(to, { config, heads: adapter.heads, tensors: new Map(tensors) }, { format });
  keepIds(place, to);
  return { base: place, changed, lost };
}

/** w + scale B A, entry by entry: sums in float64, of which float32 keeps the nearest. */
export function addProduct(
  w: Float32Array,
  of: {
    readonly a: Float32Array;
    readonly b: Float32Array;
    readonly inputs: number;
    readonly outputs: number;
    readonly rank: number;
    readonly scale: number;
    /** Whether w is [inputs, outputs]. */
    readonly transposed: boolean;
  },
): Float32Array {
  const { a, b, inputs, outputs, rank, scale, transposed } = of;
  const merged = new Float32Array(w.length);
  const row = new Float64Array(inputs);
  for (let o = 0; o < outputs; o++) {
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = b[o * rank + r]!;
      for (let i = 0; i < inputs; i++) row[i]! += factor * a[r * inputs + i]!;
    }
    for (let i = 0; i < inputs; i++) {
      const at = transposed ? i * outputs + o : o * inputs + i;
      merged[at] = w[at]! + scale * row[i]!;
    }
  }
  return merged;
}

/** The base's special ids, which its trunk knows nothing about. A classifier reads its score at the last token that is not padding: an EOS called padding would be skipped. */
function keepIds(from: string, to: string): void {
  const read = (folder: string) =>
    JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as Record<string, unknown>;
  const base = read(from);
  const ids = Object.fromEntries(Object.entries(base).filter(([key]) => /^(bos|eos|pad)_token_id$/.test(key)));
  if ([ids.eos_token_id].flat().includes(ids.pad_token_id)) ids.pad_token_id = null;
  writeDurably(join(to, "config.json"), `${JSON.stringify({ ...read(to), ...ids }, null, 2)}\n`);
}
