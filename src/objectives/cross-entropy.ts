/**
 * The cross-entropy of supervised fine-tuning. For each token that is scored:
 *
 *     loss = -log p(token)
 *
 * `crossEntropyTerms` is the slow loop that engines are tested against; `crossEntropyLoss` asks an engine for the same, summed over
 * tokens with weights.
 */
import type { CrossEntropyLoss } from "../engine/engine.ts";
import { mapRows, type Rows } from "../rl/index.ts";

export interface CrossEntropyTerms {
  readonly loss: number[][];
  /** Derivative of each token's loss by its own log-probability. */
  readonly gradient: number[][];
}

/** The terms for each token, before any aggregation. */
export function crossEntropyTerms(logprobs_B_T: Rows): CrossEntropyTerms {
  return {
    loss: mapRows(logprobs_B_T, undefined, (logprob) => -logprob),
    gradient: mapRows(logprobs_B_T, undefined, () => -1),
  };
}

/** The engine's request for the sum over tokens of weight times loss. */
export function crossEntropyLoss(batch: Pick<CrossEntropyLoss, "sequences" | "weights">): CrossEntropyLoss {
  return { name: "cross_entropy", ...batch };
}
