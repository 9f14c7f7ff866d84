/** Weights that models share: a folder's, read once and never written, for as long as a model stands on them. */

import { type ModelFolder, readModelFolder } from "../../models/hf-folder.ts";
import { hashOnce } from "../../models/weights-hash.ts";
import { identityOfWeights } from "../../util/weight-files.ts";
import { type Values, valuesIn } from "./parameter-values.ts";

export interface SharedWeights extends Pick<ModelFolder, "config" | "heads">, Required<Values> {
  /** The folder's real path with size and time of change of each of its files of weights. */
  readonly key: string;
  readonly folder: string;
  /** A hash of the names, shapes and numbers of all weights but a scalar head's, however the folder stores them. */
  readonly hash: () => string;
}

/** The shared weights of an engine. */
export class WeightShelf {
  readonly #held = new Map<string, SharedWeights>();

  /** A folder's weights: those that are held if its files are still the same. Throws a CheckpointError as reading does. */
  open(folder: string): SharedWeights {
    const key = identityOfWeights(folder);
    const held = key === null ? undefined : this.#held.get(key);
    if (held !== undefined) return held;
    const { config, heads, tensors } = readModelFolder(folder);
    const values = { ...valuesIn(tensors), held: (name: string) => tensors.get(name)?.data };
    let hash: string | undefined;
    const read: SharedWeights = {
      ...{ config, heads, ...values, key: key ?? folder, folder },
      hash: () => (hash ??= hashOnce(key, values)),
    };
    if (key !== null) this.#held.set(key, read);
    return read;
  }

  /** Forgets the weights on which no model stands. */
  keepOnly(used: ReadonlySet<SharedWeights | null>): void {
    for (const [key, weights] of this.#held) if (!used.has(weights)) this.#held.delete(key);
  }
}
