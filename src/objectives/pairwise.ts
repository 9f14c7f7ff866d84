/**
 * The reward model's loss on preference pairs (Bradley and Terry 1952, with Llama 2's margin; docs/PPO.md row 18). For each pair:
 *
 *     loss = -log sigmoid(score(chosen) - score(rejected) - margin)
 *
 * `pairwiseLoss` is the slow loop against which engines are tested; `pairwiseRequest` requests the mean over a step's pairs from an engine.
 */
import type { PairwiseLoss as PairwiseRequest, Sequence } from "../engine/engine.ts";
import { checkSameLength } from "../rl/index.ts";

export interface PairOptions {
  /** Scores of the N preferred responses. */
  readonly chosen: readonly number[];
  readonly rejected: readonly number[];
  /** The margins by which chosen scores must exceed rejected ones. */
  readonly margins: readonly number[];
}

export interface PairwiseLoss {
  /** Mean over pairs of -log sigmoid(chosen - rejected - margin), in nats. */
  readonly loss: number;
  /** Share of pairs with chosen > rejected; ties are wrong. The margin does not count here. */
  readonly accuracy: number;
  readonly gradChosen: number[];
  readonly gradRejected: number[];
}

export function pairwiseLoss(options: PairOptions): PairwiseLoss {
  const { chosen, rejected, margins } = options;
  checkSameLength({ chosen, rejected, margins });
  const pairs = chosen.length;
  let loss = 0;
  let right = 0;
  const gradChosen = chosen.map((score, i) => {
    const difference = score - rejected[i]! - margins[i]!;
    loss += softplus(-difference) / pairs;
    if (score > rejected[i]!) right++;
    // d/dx softplus(-x) = -sigmoid(-x)
    return -1 / (1 + Math.exp(difference)) / pairs;
  });
  return {
    loss: pairs === 0 ? NaN : loss,
    accuracy: right / pairs,
    gradChosen,
    gradRejected: gradChosen.map((g) => -g),
  };
}

/** log(1 + exp(x)) without overflow. */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** The engine's request for the sum of the loss over `pairs` divided by the step's number of pairs: the parts of a step add up to its mean. */
export function pairwiseRequest(
  pairs: readonly { readonly chosen: Sequence; readonly rejected: Sequence }[],
  { margin, pairsOfStep = pairs.length }: { readonly margin: number; readonly pairsOfStep?: number },
): PairwiseRequest {
  return {
    name: "pairwise",
    chosen: pairs.map(({ chosen }) => chosen),
    rejected: pairs.map(({ rejected }) => rejected),
    margins: pairs.map(() => margin),
    weights: pairs.map(() => 1 / pairsOfStep),
  };
}
