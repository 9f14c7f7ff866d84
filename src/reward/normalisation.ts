/** Normalisation of a reward model's scores to mean 0 and variance 1 (docs/PPO.md row 18), and the file beside the model that records it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { mean, quantile, standardDeviation } from "../rl/index.ts";
import { writeDurably } from "../util/durable.ts";
import { CheckpointError, messageOf, RewardError } from "../util/errors.ts";

export interface Normalisation {
  readonly mean: number;
  /** Standard deviation, above 0. */
  readonly standardDeviation: number;
  /** Number of samples of the reference policy that mean and deviation were computed from; 0 leaves scores as they are. */
  readonly samples: number;
  /** Percentiles of the raw scores that the reward model gave to its training rows. */
  readonly trainingP1: number;
  readonly trainingP99: number;
}

const normalisationSchema = z.strictObject({
  mean: z.number(),
  standardDeviation: z.number().positive(),
  samples: z.int().min(0),
  trainingP1: z.number(),
  trainingP99: z.number(),
});

const file = "reward.json";
/** Below this spread, relative to the mean, float32 scores differ only by rounding. */
const resolution = 1e-6;

/**
 * Computes the normalisation from raw scores of samples of the reference policy. `trainingScores` are the raw scores of the model's training rows, by
 * default those of the samples. Without scores, scores are left as they are. Constant scores keep their scale (standard deviation 1), with a warning.
 * Errors: RewardError for scores that are not finite.
 */
export function computeNormalisation(
  scores: readonly number[],
  { trainingScores = scores }: { trainingScores?: readonly number[] } = {},
): { normalisation: Normalisation; warning: string | null } {
  for (const list of [scores, trainingScores]) {
    const bad = list.filter((score) => !Number.isFinite(score)).length;
    if (bad > 0) {
      throw new RewardError(
        `${bad} of ${list.length} scores of the reward model are not finite`,
        "Its training diverged: lower reward.learningRate.",
      );
    }
  }
  const training = trainingScores.length > 0 ? trainingScores : [0];
  const range = { trainingP1: quantile(training, 0.01), trainingP99: quantile(training, 0.99) };
  if (scores.length === 0) {
    return { normalisation: { mean: 0, standardDeviation: 1, samples: 0, ...range }, warning: null };
  }
  const center = mean(scores);
  const spread = standardDeviation(scores);
  const constant = spread <= resolution * Math.max(1, Math.abs(center));
  return {
    normalisation: { mean: center, standardDeviation: constant ? 1 : spread, samples: scores.length, ...range },
    warning: constant
      ? `the reward model gives all ${scores.length} samples the same score (${center}): it cannot tell responses apart`
      : null,
  };
}

/** The normalised score, (raw - mean) / standard deviation. */
export function normalise(raw: number, normalisation: Normalisation | null): number {
  return normalisation === null ? raw : (raw - normalisation.mean) / normalisation.standardDeviation;
}

/** Writes `reward.json` into a reward model's folder, flushed to disk. */
export function writeNormalisation(folder: string, normalisation: Normalisation): void {
  writeDurably(join(folder, file), `${JSON.stringify(normalisation, null, 2)}\n`);
}

/** Reads `reward.json`; null if the folder has none. Errors: CheckpointError if it is damaged. */
export function readNormalisation(folder: string): Normalisation | null {
  const path = join(folder, file);
  if (!existsSync(path)) return null;
  try {
    return normalisationSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    throw new CheckpointError(
      `${path} is damaged: ${error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error)}`,
      "Train the reward model again, or remove the file to use its raw scores.",
      { cause: error },
    );
  }
}
