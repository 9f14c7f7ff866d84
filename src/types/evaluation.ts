/** The evaluation of a model before and after online training. No code. */

/**
 * A mean over samples with its 95% interval, clustered by distinct prompt: Wilson's interval for shares, normal for other numbers
 * (src/rl/interval.ts).
 */
export interface Estimate {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  /** Number of samples in the mean. */
  readonly n: number;
  /** Number of distinct prompts among the samples; absent in evaluations by earlier versions. */
  readonly distinctPrompts?: number;
  /** The same figure under greedy decoding, over `greedyN` prompts; absent if it is meaningless. */
  readonly greedy?: number;
  readonly greedyN?: number;
}

/**
 * Figures of one model by name: the task's gold checks (`sums`, `asksBack`, `refuses`, `brief`; shares of the samples to which they apply),
 * then `reward` (the composed score, normalised), `klK3Token`, `klK1Sequence` (nats, to the reference), `length` (tokens, EOS included) and
 * `entropy` (nats per token). Figures that cannot be measured are absent.
 */
export interface ModelEvaluation {
  readonly folder: string;
  readonly figures: Readonly<Record<string, Estimate>>;
}

/** After minus before on the same prompts and random streams, with a 95% interval clustered by distinct prompt. */
export interface PairedDifference {
  readonly difference: number;
  readonly low: number;
  readonly high: number;
}

export interface Transcript {
  readonly kind: string;
  readonly prompt: string;
  /** The model before; null if there is none. */
  readonly before: string | null;
  readonly after: string;
}

export interface Evaluation {
  readonly objective: string;
  readonly samples: number;
  /** Number of distinct prompts among the samples; absent in evaluations by earlier versions. */
  readonly distinctPrompts?: number;
  readonly temperature: number;
  readonly seed: number;
  /** Names of figures that are shares, from 0 to 1. */
  readonly shares: readonly string[];
  readonly before: ModelEvaluation | null;
  readonly after: ModelEvaluation;
  /** Paired differences by figure; empty if there is no model before. */
  readonly differences: Readonly<Record<string, PairedDifference>>;
  /** Transcripts sampled at the same temperature, from each kind of prompt in turn. */
  readonly transcripts: readonly Transcript[];
  /** True if the policy trained on these prompts: the results then only show what it memorised. */
  readonly seenInTraining?: boolean;
}
