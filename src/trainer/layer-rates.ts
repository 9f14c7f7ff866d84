/** Learning rates across the layers of a model: low at the embeddings, high at the head (docs/config.md, `ppo.layerRates`). */
import type { HeadKind, ModelConfig, ParameterGroup } from "../engine/engine.ts";

/** Factors on the learning rate. */
export interface LayerRates {
  readonly embeddings: number;
  readonly head: number;
}

/**
 * Factors by parameter group; those of blocks are interpolated between embeddings and head. If the head is tied to the embeddings, the matrix takes
 * their rate, and "head" means the last block and the final norm.
 */
export function rateFactors(
  { config, heads }: { readonly config: ModelConfig; readonly heads: readonly HeadKind[] },
  { embeddings, head }: LayerRates,
): Record<ParameterGroup, number> {
  const { layers, tieEmbeddings } = config;
  const tied = tieEmbeddings && heads.includes("lm");
  // From the embeddings to the last block, or to the head after it.
  const distance = tied ? layers : layers + 1;
  const blocks = Array.from({ length: layers }, (_, i) => [
    `block.${i}`,
    embeddings + ((head - embeddings) * (i + 1)) / distance,
  ]);
  return { embeddings, ...Object.fromEntries(blocks), final: head, lm_head: head, score: head };
}
