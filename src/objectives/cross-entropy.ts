/**
 * The cross-entropy of supervised fine-tuning. For each scored token:
 *
 *     loss = -log p(token)
 *
 * `crossEntropyTerms` is the slow loop against which engines are tested; `crossEntropyLoss` requests the same from an engine, summed over tokens with
 * weights.
 */
import type { CrossEntropyLoss } from "../engine/engine.ts";
import { mapRows, type Rows } from "../rl/index.ts";

export interface CrossEntropyTerms {
  readonly loss: number[][];
  /** Derivative of each token's loss with respect to its own log-probability. */
  readonly gradient: number[][];
}

/** The terms for each token, before any aggregation. */
export function crossEntropyTerms(logprobs_B_T: Rows): CrossEntropyTerms {
  return {
    loss: mapRows(logprobs_B_T, undefined, (logprob) => -logprob),
    gradient: mapRows(logprobs_B_T, undefined, () => -1),
  };
}

/** The engine's request for the sum of weight times loss over tokens. */
export function crossEntropyLoss(batch: Pick<CrossEntropyLoss, "sequences" | "weights">): CrossEntropyLoss {
  return { name: "cross_entropy", ...batch };
}
