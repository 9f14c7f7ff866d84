/** A hash of a model's numbers, however its folder stores them: what an adapter records of its base. */
import { createHash } from "node:crypto";
import { sizeOf, type TensorSource } from "./safetensors.ts";

const known = new Map<string, string>();

/** `hashOfWeightValues`, computed once for files of one identity (`identityOfWeights`); every time for null. */
export function hashOnce(identity: string | null, source: TensorSource): string {
  const hash = (identity === null ? undefined : known.get(identity)) ?? hashOfWeightValues(source);
  if (identity !== null) known.set(identity, hash);
  return hash;
}

/** Of the names, shapes and float32 numbers of all weights but a scalar head's. */
export function hashOfWeightValues(source: TensorSource): string {
  const hash = createHash("sha256");
  for (const [name, shape] of [...source.shapes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (name.startsWith("score.")) continue;
    const data = new Float32Array(sizeOf(shape));
    source.read(name, data);
    hash.update(`${name} ${shape.join()}\n`);
    hash.update(new Uint8Array(data.buffer));
  }
  return hash.digest("hex");
}
