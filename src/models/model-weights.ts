/** The weights of a model's folder: one safetensors file, or shards with an index; read as one, and written as transformers writes them. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeDurably } from "../util/durable.ts";
import { CheckpointError } from "../util/errors.ts";
import { indexFile, weightFilesIn, weightsFile } from "../util/weight-files.ts";
import { bytesPer, type WrittenFormat } from "./number-formats.ts";
import { type NamedTensor, openSafetensors, type SafetensorsFile, sizeOf, writeSafetensors } from "./safetensors.ts";

/** Largest file in bytes before weights are split. Transformers split there until version 5, which splits at 50 GB and reads both. */
const defaultShardBytes = 5e9;

/** Opens the weights of a folder, and reads no number. Throws a CheckpointError that names what is missing, damaged or contradictory. */
export function openWeights(folder: string): SafetensorsFile {
  const { files, placed } = weightFilesIn(folder);
  const shards = files.map((file) => openSafetensors(join(folder, file)));
  if (placed === null) return shards[0] as SafetensorsFile;
  const path = join(folder, indexFile);
  const homes = new Map<string, SafetensorsFile>();
  for (const shard of shards)
    for (const name of shard.shapes.keys()) {
      const other = homes.get(name);
      if (other !== undefined) throw contradiction(`${name} is in two shards, ${other.path} and ${shard.path}`);
      homes.set(name, shard);
    }
  // Tensors that the index does not name count, as in transformers: it takes everything that the shards hold.
  for (const [name, file] of placed)
    if (homes.get(name)?.path !== join(folder, file))
      throw contradiction(`${path} places ${name} in ${file}, which lacks it`);
  const home = (name: string): SafetensorsFile => {
    const shard = homes.get(name);
    if (shard === undefined) throw new CheckpointError(`no shard of ${path} has a tensor ${name}`);
    return shard;
  };
  return {
    path,
    metadata: {},
    shapes: new Map([...homes].map(([name, shard]) => [name, shard.shapes.get(name) as readonly number[]])),
    check: (name) => home(name).check(name),
    read: (name, into, from) => home(name).read(name, into, from),
  };
}

function contradiction(what: string): CheckpointError {
  return new CheckpointError(what, "Copy the folder again from where it came from, all shards and their index.");
}

export interface WriteWeightsOptions {
  /** The numbers' format; float32 by default. */
  readonly format?: WrittenFormat;
  /** Largest file in bytes; above, the weights are split. A larger tensor has a file of its own. */
  readonly shardBytes?: number;
}

/** Writes `model.safetensors`, or shards and their index; weights that the folder held before are removed. Throws as `writeSafetensors` does. */
export function writeWeights(
  folder: string,
  tensors: ReadonlyMap<string, NamedTensor>,
  { format = "F32", shardBytes = defaultShardBytes }: WriteWeightsOptions = {},
): void {
  const bytesOf = ({ shape }: NamedTensor) => sizeOf(shape) * bytesPer[format];
  const shards: Map<string, NamedTensor>[] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const [name, tensor] of tensors) {
    const bytes = bytesOf(tensor);
    if (size + bytes > shardBytes) {
      shards.push(new Map());
      size = 0;
    }
    shards.at(-1)?.set(name, tensor);
    size += bytes;
  }
  const number = (i: number) => String(i).padStart(5, "0");
  const nameOf = (i: number) => `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
  const files = shards.length === 1 ? [weightsFile] : shards.map((_, i) => nameOf(i));
  for (const [i, shard] of shards.entries()) writeSafetensors(join(folder, files[i] as string), shard, { format });
  if (shards.length > 1) {
    const all = [...tensors.values()];
    const metadata = {
      total_parameters: all.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
      total_size: all.reduce((sum, tensor) => sum + bytesOf(tensor), 0),
    };
    const entries = shards.flatMap((shard, i) => [...shard.keys()].map((name) => [name, files[i]] as const));
    const weight_map = Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
    writeDurably(join(folder, indexFile), `${JSON.stringify({ metadata, weight_map }, null, 2)}\n`);
  }
  const written = [...files, ...(shards.length > 1 ? [indexFile] : [])];
  for (const name of readdirSync(folder))
    if (/^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/.test(name) && !written.includes(name))
      rmSync(join(folder, name));
}
