/**
 * PPO's clipped policy loss (Schulman et al. 2017, eq. 7; docs/PPO.md rows 7 and 8). For each token, with r = exp(log p - log p_old):
 *
 *     loss = max(-A r, -A clip(r, 1 - clipLow, 1 + clipHigh)),   and at most -A c where A < 0 (dual clip: Ye et al. 2019, eq. 5)
 *
 * `policyTerms` is the slow loop against which engines are tested; `clippedPolicyLoss` requests the same from an engine, summed over tokens with
 * weights, plus the terms of policy-extras.ts.
 */
import type { PolicyLoss } from "../engine/engine.ts";
import { checkSameShape, isValid, k3, largest, type Mask, type Rows, type UpdateStatistics } from "../rl/index.ts";
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

/** Statistics of one minibatch on how far the policy has moved from the one that sampled. NaN if no token is valid. */
export function updateStatistics(options: PolicyOptions): UpdateStatistics {
  const { logprobs, oldLogprobs, advantages, mask } = options;
  checkSameShape({ logprobs, oldLogprobs, advantages, mask });
  const ratio_B_T = logprobs.map((row) => new Float64Array(row.length));
  const kl_B_T = logprobs.map((row) => new Float64Array(row.length));
  const tokens_B = logprobs.map(() => 0);
  const klMeans_B = logprobs.map(() => Number.NaN);
  let [tokens, kl, ratio, clipped, dualClipped, ratioMax, deviation] = [0, 0, 0, 0, 0, -Infinity, -Infinity];
  // One pass, every sum in the order of the tokens; only the valid ones are kept, from the left.
  for (const [b, row] of logprobs.entries()) {
    const [old, advantage, ratios, kls] = [oldLogprobs[b]!, advantages[b]!, ratio_B_T[b]!, kl_B_T[b]!];
    let [count, klOfRow] = [0, 0];
    for (let t = 0; t < row.length; t++) {
      if (!isValid(mask, b, t)) continue;
      const logRatio = row[t]! - old[t]!;
      const term = policyTerm(logRatio, advantage[t]!, options);
      const klOfToken = k3(-logRatio);
      ratios[count] = term.ratio;
      kls[count++] = klOfToken;
      klOfRow += klOfToken;
      kl += klOfToken;
      ratio += term.ratio;
      ratioMax = Math.max(ratioMax, term.ratio);
      deviation = Math.max(deviation, Math.abs(term.ratio - 1));
      if (term.clipped) clipped++;
      if (term.dualClipped) dualClipped++;
    }
    tokens += count;
    tokens_B[b] = count;
    if (count > 0) klMeans_B[b] = klOfRow / count;
  }
  const filled = klMeans_B.filter((_, b) => tokens_B[b]! > 0);
  const approxKlMax = largest(filled);
  const most = filled.length < 2 ? -1 : klMeans_B.findIndex((x, b) => tokens_B[b]! > 0 && x === approxKlMax);
  let [rest, restTokens, squares] = [0, 0, 0];
  const ratioMean = ratio / tokens;
  const first = ratio_B_T.find((_, b) => tokens_B[b]! > 0)?.[0];
  const equal = ratio_B_T.every((row, b) => row.subarray(0, tokens_B[b]).every((x) => x === first));
  const center = equal && first !== undefined ? first : ratioMean;
  for (const [b, row] of ratio_B_T.entries()) {
    for (let t = 0; t < tokens_B[b]!; t++) {
      squares += (row[t]! - center) ** 2;
      if (b !== most) rest += kl_B_T[b]![t]!;
    }
    if (b !== most) restTokens += tokens_B[b]!;
  }
  return {
    approxKlMean: kl / tokens,
    approxKlMax,
    approxKlRest: rest / restTokens,
    ratioMean,
    ratioMax: tokens === 0 ? Number.NaN : ratioMax,
    ratioVariance: squares / tokens,
    ratioMaxDeviation: tokens === 0 ? Number.NaN : deviation,
    clipFraction: clipped / tokens,
    dualClipFraction: dualClipped / tokens,
    tokens,
  };
}
