/** A decoder's configuration: sizes that every family has, a family's own options, and the ids that text can have. */

/** A decoder-only transformer. Plain data: it crosses threads and keys compiled graphs as JSON. */
export interface DecoderConfig {
  /** The family's name, which is Hugging Face's `model_type`. */
  readonly family: string;
  readonly vocabularySize: number;
  /** The longest sequence that the model can read, in tokens. */
  readonly context: number;
  readonly width: number;
  readonly layers: number;
  /** Heads of queries. */
  readonly heads: number;
  /** Heads of keys and values, each shared by `heads / kvHeads` heads of queries; by default `heads`. */
  readonly kvHeads?: number;
  /** Width of one head; by default `width / heads`. */
  readonly headDim?: number;
  /** Width between the two halves of an MLP, for families in which it is a choice. */
  readonly innerWidth?: number;
  readonly tieEmbeddings: boolean;
  /** A low-rank adapter beside frozen weights; without one, every weight can be trained. */
  readonly adapter?: AdapterConfig;
  /** Options of this family only, by their names in its file. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Present if rows of the embedding have no token, since published models pad their vocabulary; if absent, every id has one. */
  readonly textIds?: TextIds;
}

/** The projections that an adapter stands beside, each with its own rank: LoRA (Hu et al. 2021). */
export interface AdapterConfig {
  readonly modules: readonly AdapterModule[];
  /** Whether a product's factor is alpha / sqrt(rank) (Kalajdzievski 2023) in place of alpha / rank. */
  readonly rslora: boolean;
  /** Modules of the model that are trained as a whole and belong to the adapter, besides a scalar head, which always does. */
  readonly whole: readonly string[];
}

export interface AdapterModule {
  /** The projection's name: that of its matrix, without `.weight`. */
  readonly name: string;
  readonly rank: number;
  readonly alpha: number;
}

/**
 * The ids that text can have: those below `below`, except `missing` (ascending). No other id is ever sampled or the most likely, and none has a share
 * in a log-probability, an entropy or a KL. Their rows stay in the model as they are.
 */
export interface TextIds {
  readonly below: number;
  readonly missing: readonly number[];
}

/** `lm`: logits over the vocabulary. `scalar`: one number per position (a reward or a value). */
export type Head = "lm" | "scalar";

/** The configuration with the ids that text can have; without the field if every id can. */
export function withTextIds(config: DecoderConfig, textIds: TextIds | undefined): DecoderConfig {
  const { textIds: _, ...sizes } = config;
  if (textIds === undefined) return sizes;
  const below = Math.min(textIds.below, sizes.vocabularySize);
  const missing = textIds.missing.filter((id) => id < below);
  if (below === sizes.vocabularySize && missing.length === 0) return sizes;
  return { ...sizes, textIds: { below, missing } };
}

/** The sizes of the cache: heads of keys and values, and the width of each. */
export function cacheSizes({ width, heads, kvHeads = heads, headDim = width / heads }: DecoderConfig): {
  kvHeads: number;
  headDim: number;
} {
  return { kvHeads, headDim };
}

/** What bounds the length of a sequence, and what to do about one that is longer, in words. */
export function contextBound({ context, options }: DecoderConfig): { readonly says: string; readonly remedy: string } {
  const { max_position_embeddings: positions } = options ?? {};
  if (positions === undefined)
    return {
      says: `${context}`,
      remedy: "raise model.context of a model from scratch, or take a model that reads more",
    };
  return {
    says: `${context}, its sliding_window (its max_position_embeddings is ${positions})`,
    remedy: "take a model with a larger window: beyond it, every layer would lose sight of a text's start",
  };
}
