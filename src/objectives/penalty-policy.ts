/**
 * PPO's penalty form of the policy loss (Schulman et al. 2017, eq. 8; docs/PPO.md row 9). For each token, with r = exp(log p - log p_old):
 *
 *     loss = -r A + beta KL(old, new),   KL(old, new) = sum_v p_old(v) (log p_old(v) - log p(v))
 *
 * An engine that cannot hold two policies in one pass uses k3 on the samples instead, (r - 1) - ln r. `penaltyTerms` is the slow loop against which
 * engines are tested; `penaltyPolicyLoss` requests the same from an engine, summed over tokens with weights, plus the terms of policy-extras.ts.
 */
import type { ModelId, PolicyLoss } from "../engine/engine.ts";
import { checkSameLength, checkSameShape, logSoftmax, type Rows } from "../rl/index.ts";
import { type PolicyBatch, type PolicyExtras, policyRequest, unclipped } from "./policy-extras.ts";

/** The engine's parameters of the penalty. */
export interface Penalty {
  /** Weight of KL(old, new). */
  readonly beta: number;
  /** The sampling policy; null if the engine cannot compute the KL over the whole vocabulary, which is then k3 on the samples. */
  readonly oldModel: ModelId | null;
}

export interface PenaltyOptions {
  readonly logits: Rows;
  readonly oldLogits: Rows;
  readonly tokens: readonly number[];
  readonly advantages: readonly number[];
  /** Weight of KL(old, new); not `klCoef`, which weighs the KL to the reference. */
  readonly penaltyBeta: number;
  readonly temperature: number;
}

export interface PenaltyTerms {
  /** -r A + penaltyBeta KL(old, new) for each of T tokens. */
  readonly loss: number[];
  /** KL(old, new) over the whole vocabulary, in nats. */
  readonly kl: number[];
  readonly ratio: number[];
  /** Derivative of each token's loss with respect to its own logits, (T, V). */
  readonly gradient: number[][];
}

/** The terms for each token, before any aggregation. */
export function penaltyTerms(options: PenaltyOptions): PenaltyTerms {
  const { logits, oldLogits, tokens, advantages, penaltyBeta, temperature } = options;
  checkSameShape({ logits, oldLogits });
  checkSameLength({ logits, tokens, advantages });
  const terms = tokens.map((token, t) => {
    const logp_V = logSoftmax(logits[t]!, temperature);
    const oldLogp_V = logSoftmax(oldLogits[t]!, temperature);
    const logRatio = logp_V[token]! - oldLogp_V[token]!;
    const ratio = Math.exp(Math.min(Math.max(logRatio, -20), 20));
    let kl = 0;
    for (let v = 0; v < logp_V.length; v++) kl += Math.exp(oldLogp_V[v]!) * (oldLogp_V[v]! - logp_V[v]!);
    const gain = Math.abs(logRatio) > 20 ? 0 : -ratio * advantages[t]!;
    // d log p(token) / dz = (1[token] - p) / temperature; dKL(old, new) / dz = (p - p_old) / temperature
    const gradient = logp_V.map((logp, v) => {
      const p = Math.exp(logp);
      const hit = v === token ? 1 : 0;
      return (gain * (hit - p) + penaltyBeta * (p - Math.exp(oldLogp_V[v]!))) / temperature;
    });
    return { loss: -ratio * advantages[t]! + penaltyBeta * kl, kl, ratio, gradient };
  });
  return {
    loss: terms.map((term) => term.loss),
    kl: terms.map((term) => term.kl),
    ratio: terms.map((term) => term.ratio),
    gradient: terms.map((term) => term.gradient),
  };
}

/** The engine's request for the sum of weight times loss over tokens: nothing is clipped. */
export function penaltyPolicyLoss(
  batch: PolicyBatch,
  { penalty, ...extras }: { readonly penalty: Penalty } & PolicyExtras,
): PolicyLoss {
  return policyRequest(batch, { ...unclipped, penalty, ...extras });
}
