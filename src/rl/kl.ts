/**
 * KL(policy, reference) estimated from tokens that the policy sampled (docs/PPO.md row 2; Schulman 2020, "Approximating KL
 * divergence"), with d = log p - log p_ref.
 */

import { tokenMean } from "./row-statistics.ts";
import { mean, sum } from "./statistics.ts";
import { checkSameShape, isValid, type Mask, mapRows, type Rows, validRows } from "./token-rows.ts";

export type KlEstimator = "k1" | "k2" | "k3";

/** KL estimator d = log p - log p_ref: unbiased, with high variance; may be negative. */
export function k1(d: number): number {
  return d;
}

/** KL estimator d^2 / 2: biased, with low variance; as a loss its expected gradient equals that of the KL. */
export function k2(d: number): number {
  return (d * d) / 2;
}

/** KL estimator exp(-d) - 1 + d: unbiased and never negative. */
export function k3(d: number): number {
  return Math.expm1(-d) + d;
}

const estimators = { k1, k2, k3 };

/** Derivative of the estimator with respect to d: what a KL term in the loss propagates back to log p. */
export function klDerivative(d: number, estimator: KlEstimator): number {
  if (estimator === "k1") return 1;
  return estimator === "k2" ? d : -Math.expm1(-d);
}

/** The KL estimate of each token, in nats; 0 for masked tokens. Never clamped. */
export function klRows(logprobs_B_T: Rows, refLogprobs_B_T: Rows, estimator: KlEstimator, mask_B_T?: Mask): number[][] {
  checkSameShape({ logprobs: logprobs_B_T, refLogprobs: refLogprobs_B_T, mask: mask_B_T });
  return mapRows(logprobs_B_T, mask_B_T, (logprob, b, t) => estimators[estimator](logprob - refLogprobs_B_T[b]![t]!));
}

/** KL in nats per token: the mean over all valid tokens; NaN if there are none. */
export function klPerToken(kl_B_T: Rows, mask_B_T?: Mask): number {
  checkSameShape({ kl: kl_B_T, mask: mask_B_T });
  return tokenMean(kl_B_T, mask_B_T);
}

/** KL in nats per sequence: the sum over valid tokens, averaged over sequences that have any; NaN if none has. */
export function klPerSequence(kl_B_T: Rows, mask_B_T?: Mask): number {
  checkSameShape({ kl: kl_B_T, mask: mask_B_T });
  return mean(
    validRows(kl_B_T, mask_B_T)
      .filter((row) => row.length > 0)
      .map(sum),
  );
}

/** `klPerToken` and `klPerSequence` of `klRows`, and each sequence's sum (0 of one without valid tokens), without the rows themselves. */
export function klSummary(
  logprobs_B_T: Rows,
  refLogprobs_B_T: Rows,
  estimator: KlEstimator,
  mask_B_T?: Mask,
): { readonly perToken: number; readonly perSequence: number; readonly sums_B: number[] } {
  checkSameShape({ logprobs: logprobs_B_T, refLogprobs: refLogprobs_B_T, mask: mask_B_T });
  const of = estimators[estimator];
  let [total, tokens] = [0, 0];
  const filled: number[] = [];
  const sums_B = logprobs_B_T.map((row, b) => {
    const reference = refLogprobs_B_T[b]!;
    let [own, count] = [0, 0];
    for (let t = 0; t < row.length; t++) {
      if (!isValid(mask_B_T, b, t)) continue;
      const kl = of(row[t]! - reference[t]!);
      total += kl;
      own += kl;
      count++;
    }
    tokens += count;
    if (count > 0) filled.push(own);
    return own;
  });
  return { perToken: total / tokens, perSequence: mean(filled), sums_B };
}
