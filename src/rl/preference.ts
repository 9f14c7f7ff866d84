/** The reward model's loss on preference pairs (PPO.md row 18; Bradley and Terry 1952, with Llama 2's margin). */
import { checkSameLength } from "./rows.ts";

export interface PairOptions {
  /** Scores of the N preferred responses. */
  readonly chosen: readonly number[];
  readonly rejected: readonly number[];
  /** What the chosen score must exceed the rejected one by. */
  readonly margins: readonly number[];
}

export interface PairwiseLoss {
  /** Mean over pairs of -log sigmoid(chosen - rejected - margin), in nats. */
  readonly loss: number;
  /** Share of pairs with chosen > rejected; a tie is wrong. The margin has no part in it. */
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
