/** What measuring a model came to, before PPO and after it. No code. */

/**
 * A mean over samples with its 95% interval, whose clusters are the distinct prompts: Wilson's for shares, normal for other
 * numbers (src/rl/interval.ts).
 */
export interface Estimate {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  /** Samples the mean is over. */
  readonly n: number;
  /** Prompts among them that differ; absent in evaluations of earlier versions. */
  readonly distinctPrompts?: number;
  /** The same under greedy decoding, over `greedyN` prompts; absent where it means nothing. */
  readonly greedy?: number;
  readonly greedyN?: number;
}

/**
 * Figures of one model by name: the task's gold checks (`sums`, `asksBack`, `refuses`, `brief`; shares of the samples
 * to which they apply), then `reward` (the composed score, normalised), `klK3Token`, `klK1Sequence` (nats, to the
 * reference), `length` (tokens, EOS included) and `entropy` (nats per token). What cannot be measured is absent.
 */
export interface ModelEvaluation {
  readonly folder: string;
  readonly figures: Readonly<Record<string, Estimate>>;
}

/** After minus before on the same prompts and random streams, with a 95% interval whose clusters are the distinct prompts. */
export interface PairedDifference {
  readonly difference: number;
  readonly low: number;
  readonly high: number;
}

export interface Transcript {
  readonly kind: string;
  readonly prompt: string;
  /** null where there is no model before. */
  readonly before: string | null;
  readonly after: string;
}

export interface Evaluation {
  readonly objective: string;
  readonly samples: number;
  /** Prompts that differ among those of the samples; absent in evaluations of earlier versions. */
  readonly distinctPrompts?: number;
  readonly temperature: number;
  readonly seed: number;
  /** Names of figures that are shares, from 0 to 1. */
  readonly shares: readonly string[];
  readonly before: ModelEvaluation | null;
  readonly after: ModelEvaluation;
  /** By figure; empty without a model before. */
  readonly differences: Readonly<Record<string, PairedDifference>>;
  /** Sampled at the same temperature, from prompts of every kind in turn. */
  readonly transcripts: readonly Transcript[];
  /** True where the policy trained on these prompts: what it shows is no more than memory. */
  readonly seenInTraining?: boolean;
}
