/** How answers are drawn. */
export interface Sampling {
  /** 0 is greedy. */
  readonly temperature: number;
  readonly maxTokens: number;
}

export const usualSampling: Sampling = { temperature: 0.7, maxTokens: 128 };

/** A new seed: each answer draws its own. */
export function newSeed(): number {
  return Math.floor(Math.random() * 2 ** 31);
}
