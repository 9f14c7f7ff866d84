/** The reward of each response token: a KL penalty on every one and the score on the last (docs/PPO.md row 3). */

import { mean, sum, variance } from "./statistics.ts";
import { checkSameLength, checkSameShape, isValid, type Mask, mapRows, type Rows, validValues } from "./token-rows.ts";

export interface TokenRewardOptions {
  readonly logprobs: Rows;
  readonly refLogprobs: Rows;
  readonly mask?: Mask | undefined;
  /** One normalised score per sequence. */
  readonly scores: readonly number[];
  /** What of a score is placed at tokens before the last, (B, T): rewards of steps. By default none. */
  readonly stepRewards?: Rows | undefined;
  readonly endsWithEos: readonly boolean[];
  /** The KL coefficient; 0 if the KL is in the loss. */
  readonly klCoef: number;
  /** Scores are clipped to [-scoreClip, scoreClip]; null does not clip. */
  readonly scoreClip: number | null;
  /** Subtracted from the clipped score if the response has no EOS. */
  readonly missingEosPenalty: number;
}

/**
 * -klCoef * (log p - log p_ref) on response tokens, plus the score on the last valid one. The score is clipped first, then reduced by the
 * penalty for a missing EOS, then added. Rewards of steps stand at their own tokens, and the last one has the rest of the score. A sequence without valid
 * tokens has no reward.
 */
export function tokenRewards(options: TokenRewardOptions): number[][] {
  const { logprobs, refLogprobs, mask, scores, stepRewards, endsWithEos, klCoef } = options;
  checkSameShape({ logprobs, refLogprobs, mask, stepRewards });
  checkSameLength({ logprobs, scores, endsWithEos });
  const rewards_B_T = mapRows(logprobs, mask, (logprob, b, t) =>
    // Not a product with 0: the log-probabilities may be infinite when the KL is not used.
    klCoef === 0 ? 0 : -klCoef * (logprob - refLogprobs[b]![t]!),
  );
  rewards_B_T.forEach((row, b) => {
    const last = lastValid(row.length, mask, b);
    if (last < 0) return;
    row[last]! += finalScore(scores[b]!, endsWithEos[b]!, options);
    if (stepRewards === undefined) return;
    for (const [t, reward] of stepRewards[b]!.entries()) {
      if (!isValid(mask, b, t)) continue;
      row[t]! += reward;
      row[last]! -= reward;
    }
  });
  return rewards_B_T;
}

/**
 * The reward of each response as a whole, which those to the same prompt are compared by: the sum over its tokens. One without tokens, whose only token a
 * server left out, has its score.
 */
export function responseRewards(
  rewards_B_T: Rows,
  {
    scores,
    endsWithEos,
    ...options
  }: Pick<TokenRewardOptions, "scores" | "endsWithEos" | "scoreClip" | "missingEosPenalty">,
): number[] {
  checkSameLength({ rewards: rewards_B_T, scores, endsWithEos });
  return rewards_B_T.map((row, b) => (row.length === 0 ? finalScore(scores[b]!, endsWithEos[b]!, options) : sum(row)));
}

/** The score as it enters the reward: clipped, then reduced by the penalty for a missing EOS. */
export function finalScore(
  score: number,
  endsWithEos: boolean,
  options: { readonly scoreClip: number | null; readonly missingEosPenalty: number },
): number {
  const { scoreClip, missingEosPenalty } = options;
  const clipped = scoreClip === null ? score : Math.min(Math.max(score, -scoreClip), scoreClip);
  return endsWithEos ? clipped : clipped - missingEosPenalty;
}

/**
 * Rewards scaled to unit deviation with their mean kept: (r - mean) / sqrt(var + 1e-8) + mean, with the unbiased variance over all valid
 * tokens (docs/PPO.md row 6). Rewards with fewer than two valid tokens are unchanged.
 */
export function whitenRewards(rewards_B_T: Rows, mask_B_T?: Mask): number[][] {
  checkSameShape({ rewards: rewards_B_T, mask: mask_B_T });
  const valid = validValues(rewards_B_T, mask_B_T);
  if (valid.length < 2) return mapRows(rewards_B_T, mask_B_T, (reward) => reward);
  const center = mean(valid);
  const scale = Math.sqrt(variance(valid, { unbiased: true }) + 1e-8);
  return mapRows(rewards_B_T, mask_B_T, (reward) => (reward - center) / scale + center);
}

function lastValid(length: number, mask: Mask | undefined, b: number): number {
  for (let t = length - 1; t >= 0; t--) if (isValid(mask, b, t)) return t;
  return -1;
}
