/** What a family of models is made of: a row of the table in `family.ts`, and all that the rest of Ballast knows of it. */
import type { Tensor } from "../tensor/graph.ts";
import type { Reading } from "./attention.ts";
import type { HfConfig } from "./hf-config.ts";
import type { DecoderConfig, Head } from "./model-config.ts";
import type { ParameterSpec, Parameters } from "./parameters.ts";

export interface Architecture {
  /** Parameters of the trunk in the order in which they are stored, by the names in Hugging Face's files. */
  readonly parameters: (config: DecoderConfig) => readonly ParameterSpec[];
  /** Hidden states after the last norm, [N, D]. */
  readonly trunk: (config: DecoderConfig, parameters: Parameters, reading: Reading) => Tensor;
  /** The matrix [V, D] of the language head: its name if it is the embedding, and if it is a parameter of its own. */
  readonly languageHead: { readonly tied: string; readonly own: string };
  /** Options of a model from scratch, if the family has some of its own. */
  readonly options?: Readonly<Record<string, unknown>>;
  readonly huggingFace: {
    /** Class of a model by its head. */
    readonly classes: { readonly [H in Head]: string };
    /** The parameter that a name in a file means, if files have several names for one. */
    readonly nameOf?: (stored: string) => string;
    /** Reads `config.json`; throws a CheckpointError for a variant that this trunk does not compute. */
    readonly read: (json: HfConfig) => Omit<DecoderConfig, "family">;
    /** Writes what `read` reads. */
    readonly write: (config: DecoderConfig) => Readonly<Record<string, unknown>>;
  };
}
