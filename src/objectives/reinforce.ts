/**
 * REINFORCE's loss (Williams 1992), for samples of a policy that may have moved since: r = exp(log p - log p_old) corrects for that, token
 * by token. For each token:
 *
 *     loss = -A r
 *
 * At r = 1, where the policy is the one that sampled, its gradient is -A d log p, which is REINFORCE's own. Nothing is clipped.
 * `reinforceTerms` is the slow loop that engines are tested against; `reinforceLoss` asks an engine for the same, summed over tokens
 * with weights, plus the terms of policy-extras.ts.
 */
import type { PolicyLoss } from "../engine/engine.ts";
import { mapRows, type Rows } from "../rl/index.ts";
import { clampedRatio } from "./clipped-policy.ts";
import { type PolicyBatch, type PolicyExtras, policyRequest, unclipped } from "./policy-extras.ts";

/** The loss of each token, before any aggregation; its derivative by the token's log-probability is the same number. */
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

/** The engine's request for the sum over tokens of weight times loss. */
export function reinforceLoss(batch: PolicyBatch, extras: PolicyExtras): PolicyLoss {
  return policyRequest(batch, { ...unclipped, ...extras });
}
