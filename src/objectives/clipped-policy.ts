/**
 * PPO's clipped policy loss (Schulman et al. 2017, eq. 7; docs/PPO.md rows 7 and 8). For each token, with r = exp(log p - log p_old):
 *
 *     loss = max(-A r, -A clip(r, 1 - clipLow, 1 + clipHigh)),   and at most -A c where A < 0 (dual clip: Ye et al. 2019, eq. 5)
 *
 * `policyTerms` is the slow loop against which engines are tested; `clippedPolicyLoss` requests the same from an engine, summed over tokens with
 * weights, plus the terms of policy-extras.ts.
 */
import type { PolicyLoss } from "../engine/engine.ts";
import {
  checkSameShape,
  isValid,
  k3,
  largest,
  type Mask,
  mapRows,
  mean,
  type Rows,
  type UpdateStatistics,
  validRows,
  validValues,
  variance,
} from "../rl/index.ts";
import { type PolicyBatch, type PolicyExtras, policyRequest } from "./policy-extras.ts";

export interface PolicyOptions {
  readonly logprobs: Rows;
  readonly oldLogprobs: Rows;
  readonly advantages: Rows;
  readonly mask?: Mask | undefined;
  readonly clipLow: number;
  readonly clipHigh: number;
  /** The constant c > 1 of dual clip (Ye et al. 2019, eq. 5), or null. */
  readonly dualClip: number | null;
}

export interface PolicyTerms {
  /** The loss of each token: max(-A r, -A clip(r)); with dual clip and A < 0, at most -A c. 0 for masked tokens. */
  readonly loss: number[][];
  /** The ratio of each token: exp(clamp(new - old, -20, 20)); 0 for masked tokens. */
  readonly ratio: number[][];
  /** Whether the clip binds, that is, whether the clipped term is strictly larger. */
  readonly clipped: boolean[][];
  /** Whether dual clip binds. */
  readonly dualClipped: boolean[][];
  /** Derivative of each token's loss with respect to its own log-probability: -A r, or 0 if a clip or the clamp binds. */
  readonly gradient: number[][];
}

const clampedLogRatio = 20;

/** The terms of PPO-clip for each token (Schulman et al. 2017, eq. 7), before any aggregation. */
export function policyTerms(options: PolicyOptions): PolicyTerms {
  const { logprobs, oldLogprobs, advantages, mask } = options;
  checkSameShape({ logprobs, oldLogprobs, advantages, mask });
  const terms = logprobs.map((row, b) =>
    row.map((logprob, t) =>
      isValid(mask, b, t) ? policyTerm(logprob - oldLogprobs[b]![t]!, advantages[b]![t]!, options) : maskedTerm,
    ),
  );
  const pick = <K extends keyof Term>(key: K): Term[K][][] => terms.map((row) => row.map((term) => term[key]));
  return {
    loss: pick("loss"),
    ratio: pick("ratio"),
    clipped: pick("clipped"),
    dualClipped: pick("dualClipped"),
    gradient: pick("gradient"),
  };
}

interface Term {
  readonly loss: number;
  readonly ratio: number;
  readonly clipped: boolean;
  readonly dualClipped: boolean;
  readonly gradient: number;
}

const maskedTerm: Term = { loss: 0, ratio: 0, clipped: false, dualClipped: false, gradient: 0 };

/** The clamped ratio, exp(clamp(log ratio, -20, 20)) (docs/PPO.md row 7). */
export function clampedRatio(logRatio: number): number {
  return Math.exp(Math.min(Math.max(logRatio, -clampedLogRatio), clampedLogRatio));
}

function policyTerm(logRatio: number, advantage: number, options: PolicyOptions): Term {
  const { clipLow, clipHigh, dualClip } = options;
  const ratio = clampedRatio(logRatio);
  const unclippedLoss = -advantage * ratio;
  const clippedLoss = -advantage * Math.min(Math.max(ratio, 1 - clipLow), 1 + clipHigh);
  const clipped = clippedLoss > unclippedLoss;
  const loss = Math.max(unclippedLoss, clippedLoss);
  const ceiling = dualClip !== null && advantage < 0 ? -advantage * dualClip : Infinity;
  const dualClipped = loss > ceiling;
  const flat = clipped || dualClipped || Math.abs(logRatio) > clampedLogRatio;
  return { loss: Math.min(loss, ceiling), ratio, clipped, dualClipped, gradient: flat ? 0 : unclippedLoss };
}

/** The engine's request for the sum of weight times loss over tokens. */
export function clippedPolicyLoss(
  batch: PolicyBatch,
  { clipLow, clipHigh, dualClip, ...extras }: Pick<PolicyOptions, "clipLow" | "clipHigh" | "dualClip"> & PolicyExtras,
): PolicyLoss {
  return policyRequest(batch, { clipLow, clipHigh, dualClip, ...extras });
}

/** The rows but the one with the largest mean; all if there is only one. */
function withoutLargest(rows: readonly (readonly number[])[]): readonly (readonly number[])[] {
  if (rows.length < 2) return rows;
  const means = rows.map(mean);
  const most = means.indexOf(largest(means));
  return rows.filter((_, i) => i !== most);
}

/** Statistics of one minibatch on how far the policy has moved from the one that sampled. NaN if no token is valid. */
export function updateStatistics(options: PolicyOptions): UpdateStatistics {
  const { logprobs, oldLogprobs, mask } = options;
  const terms = policyTerms(options);
  const ratios = validValues(terms.ratio, mask);
  const kl_B_T = mapRows(logprobs, mask, (logprob, b, t) => k3(oldLogprobs[b]![t]! - logprob));
  const klBySequence = validRows(kl_B_T, mask).filter((row) => row.length > 0);
  const flags = (rows: boolean[][]): number[] =>
    validValues(
      rows.map((row) => row.map(Number)),
      mask,
    );
  return {
    approxKlMean: mean(validValues(kl_B_T, mask)),
    approxKlMax: largest(klBySequence.map(mean)),
    approxKlRest: mean(withoutLargest(klBySequence).flat()),
    ratioMean: mean(ratios),
    ratioMax: largest(ratios),
    ratioVariance: variance(ratios),
    ratioMaxDeviation: largest(ratios.map((ratio) => Math.abs(ratio - 1))),
    clipFraction: mean(flags(terms.clipped)),
    dualClipFraction: mean(flags(terms.dualClipped)),
    tokens: ratios.length,
  };
}
