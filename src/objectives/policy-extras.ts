/**
 * Terms that every policy loss may add to its own (docs/PPO.md rows 2 and 11). For each token, with d = log p - log p_ref:
 *
 *     loss = -entropyCoef H(p) + coef KL,   KL = k2 = d^2 / 2   or   k3 = exp(-d) - 1 + d
 *
 * k2's gradient is the KL's own; k3's is biased (Schulman 2020), and GRPO's (Shao et al. 2024, eq. 4).
 */
import type { PolicyLoss } from "../engine/engine.ts";
import { k2, k3, klDerivative, mapRows, type Rows } from "../rl/index.ts";

/** What a policy loss reads for each token. */
export type PolicyBatch = Pick<PolicyLoss, "sequences" | "weights" | "oldLogprobs" | "advantages" | "refLogprobs">;

export type PolicyExtras = Pick<PolicyLoss["config"], "entropyCoef" | "kl" | "temperature">;

/** Bounds that never bind: a ratio is between 0 and e^20 (docs/PPO.md row 7). */
export const unclipped = { clipLow: 1, clipHigh: 1e9, dualClip: null } as const;

/** The engine's request for the sum of weight times a policy loss over tokens. */
export function policyRequest({ refLogprobs, ...batch }: PolicyBatch, config: PolicyLoss["config"]): PolicyLoss {
  return { name: "policy", ...batch, ...(config.kl && refLogprobs && { refLogprobs }), config };
}

export interface ExtraTerms {
  readonly loss: number[][];
  /** Derivative of the KL's term with respect to the token's log-probability; the entropy's is with respect to the logits. */
  readonly klGradient: number[][];
}

/** The slow loop against which engines are tested: the terms for each token, before any aggregation. */
export function extraTerms(options: {
  readonly logprobs: Rows;
  /** Required with `kl`. */
  readonly refLogprobs?: Rows | undefined;
  readonly entropy: Rows;
  readonly entropyCoef: number;
  readonly kl: PolicyExtras["kl"];
}): ExtraTerms {
  const { logprobs, refLogprobs, entropy, entropyCoef, kl } = options;
  const distance = (logprob: number, b: number, t: number) => logprob - refLogprobs![b]![t]!;
  return {
    loss: mapRows(logprobs, undefined, (logprob, b, t) => {
      const d = kl ? distance(logprob, b, t) : 0;
      return -entropyCoef * entropy[b]![t]! + (kl ? kl.coef * (kl.estimator === "k2" ? k2(d) : k3(d)) : 0);
    }),
    klGradient: mapRows(logprobs, undefined, (logprob, b, t) =>
      kl ? kl.coef * klDerivative(distance(logprob, b, t), kl.estimator) : 0,
    ),
  };
}
