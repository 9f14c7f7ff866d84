/** The definition of a family of models: a row of the table in `family.ts`, and everything that the rest of Ballast knows about it. */
import type { Tensor } from "../tensor/graph.ts";
import type { MatrixLayout } from "./adapter.ts";
import type { Reading } from "./attention.ts";
import type { HfConfig } from "./hf-config.ts";
import type { DecoderConfig, Head } from "./model-config.ts";
import type { ParameterSpec, Parameters } from "./parameters.ts";

/** Sizes that not every family leaves open: heads of keys and values, width of a head and of an MLP's inside, base of rotary positions. */
export const optionalSizes = ["kvHeads", "headDim", "innerWidth", "ropeTheta"] as const;
export type OptionalSize = (typeof optionalSizes)[number];

export interface Architecture {
  /** Parameters of the trunk in storage order, by their names in Hugging Face's files. */
  readonly parameters: (config: DecoderConfig) => readonly ParameterSpec[];
  /** The axes of the blocks' matrices. */
  readonly layout: MatrixLayout;
  /** Hidden states after the last norm, [N, D]. */
  readonly trunk: (config: DecoderConfig, parameters: Parameters, reading: Reading) => Tensor;
  /** The language head's matrix [V, D]: its name if it is the embedding, and if it is a separate parameter. */
  readonly languageHead: { readonly tied: string; readonly own: string };
  /** The optional sizes of a model from scratch that this family takes, by their names in the configuration's section `model`; by default none. */
  readonly takes?: readonly OptionalSize[];
  /** What a model from scratch has unless its configuration says otherwise; absent for a family without choices. */
  readonly fromScratch?: (
    config: DecoderConfig,
    sizes: { readonly ropeTheta?: number | undefined },
  ) => Pick<DecoderConfig, "innerWidth" | "options">;
  readonly huggingFace: {
    /** Hugging Face's class of a model by its head. */
    readonly classes: { readonly [H in Head]: string };
    /** The parameter that a name in a file stands for, if files have several names for one. */
    readonly nameOf?: (stored: string) => string;
    /** Reads `config.json`. Throws a CheckpointError for a variant that this trunk does not compute. */
    readonly read: (json: HfConfig) => Omit<DecoderConfig, "family">;
    /** Writes what `read` reads. */
    readonly write: (config: DecoderConfig) => Readonly<Record<string, unknown>>;
  };
}
