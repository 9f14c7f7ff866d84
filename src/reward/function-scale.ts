/** The scale of a user's reward function: normalised once, on samples of the starting policy, as a learned reward is (docs/PPO.md row 18). */
import { mean, standardDeviation } from "../rl/index.ts";
import { RewardError } from "../util/errors.ts";

/** What the scores of the samples were, and whether later scores are normalised by it. */
export interface FunctionScale {
  readonly samples: number;
  readonly mean: number;
  /** Standard deviation; 0 exactly if all scores are equal. */
  readonly standardDeviation: number;
  /** Why scores stay as the function gives them: it gives two verdicts, or all samples the same; null if they are normalised. */
  readonly left: "verdicts" | "constant" | null;
}

/** By the component's name. */
export type FunctionScales = Readonly<Record<string, FunctionScale>>;

/** The scale of raw scores. Errors: RewardError for scores that are not finite. */
export function functionScale(scores: readonly number[]): FunctionScale {
  const bad = scores.filter((score) => !Number.isFinite(score)).length;
  if (bad > 0)
    throw new RewardError(
      `${bad} of ${scores.length} scores of the starting policy's samples are not finite`,
      "Look at the function's answers to short, empty and cut-off responses.",
    );
  const distinct = new Set(scores).size;
  const left = distinct === 1 ? "constant" : distinct === 2 ? "verdicts" : null;
  return {
    samples: scores.length,
    mean: mean(scores),
    standardDeviation: distinct === 1 ? 0 : standardDeviation(scores),
    left,
  };
}

/** A score by its function's scale: (score - mean) / standard deviation; as it is without one, or if the scale leaves scores alone. */
export function scaled(score: number, scale: FunctionScale | undefined): number {
  return scale === undefined || scale.left !== null ? score : (score - scale.mean) / scale.standardDeviation;
}

/** What happens to a function's scores, in a sentence. */
export function scaleWords(
  name: string,
  { samples, mean: centre, standardDeviation: spread, left }: FunctionScale,
): string {
  const number = (value: number) => String(Number(value.toPrecision(3)));
  const of = `on ${samples} samples of the starting policy`;
  switch (left) {
    case null:
      return `the reward ${name} is normalised ${of}: (score - ${number(centre)}) / ${number(spread)}, from now on; normalise: false leaves its scores as they are`;
    case "verdicts":
      return `the reward ${name} gives two verdicts ${of}: its scores stay as they are`;
    case "constant":
      return `the reward ${name} is ${number(centre)} ${of}, without any spread: its scores stay as they are`;
  }
}
