/**
 * REINFORCE's loss (Williams 1992) for samples of a policy that may have moved since: r = exp(log p - log p_old) corrects for that, token by token.
 * For each token:
 *
 *     loss = -A r
 *
 * At r = 1, when the policy is the one that sampled, its gradient is -A d log p, which is REINFORCE's own. Nothing is clipped. `reinforceTerms` is
 * the slow loop against which engines are tested; `reinforceLoss` requests the same from an engine, summed over tokens with weights, plus the terms
 * of policy-extras.ts.
 */
import type { PolicyLoss } from "../engine/engine.ts";
import { mapRows, type Rows } from "../rl/index.ts";
import { clampedRatio } from "./clipped-policy.ts";
import { type PolicyBatch, type PolicyExtras, policyRequest, unclipped } from "./policy-extras.ts";

/** The loss of each token, before any aggregation; its derivative with respect to the token's log-probability is the same number. */
export function reinforceTerms(options: {
  readonly logprobs: Rows;
  readonly oldLogprobs: Rows;
  readonly advantages: Rows;
}): number[][] {
  const { logprobs, oldLogprobs, advantages } = options;
  return mapRows(logprobs, undefined, (logprob, b, t) => {
    return -advantages[b]![t]! * clampedRatio(logprob - oldLogprobs[b]![t]!);
  });
}

/** The engine's request for the sum of weight times loss over tokens. */
export function reinforceLoss(batch: PolicyBatch, extras: PolicyExtras): PolicyLoss {
  return policyRequest(batch, { ...unclipped, ...extras });
}
