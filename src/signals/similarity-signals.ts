/** Signals of how far a policy has moved since the last measurement, on fixed prompts and random streams. */

import { klPerToken, klRows } from "../rl/kl.ts";
import { mean } from "../rl/statistics.ts";
import { checkSameShape, type Rows } from "../rl/token-rows.ts";
import type { Signals } from "./signal-values.ts";

export interface SimilarityOptions {
  /** The earlier policy on responses that it sampled: log-probability of each token, and its own most likely token there, if the engine tells. */
  readonly before: { readonly logprobs: Rows; readonly top1?: Rows | undefined };
  /** The present policy on the same responses. */
  readonly now: { readonly logprobs: Rows; readonly top1?: Rows | undefined };
  /** Greedy responses of the earlier policy, one per prompt. */
  readonly greedyBefore: Rows;
  readonly greedyNow: Rows;
}

/** KL(before, now) by k3, agreement of the most likely tokens, and the share of greedy responses that differ anywhere. */
export function similaritySignals({ before, now, greedyBefore, greedyNow }: SimilarityOptions): Signals {
  const [top1Before, top1Now] = [before.top1, now.top1];
  if (top1Before && top1Now) checkSameShape({ before: top1Before, now: top1Now });
  return {
    "similarity/kl_k3_token": klPerToken(klRows(before.logprobs, now.logprobs, "k3")),
    ...(top1Before &&
      top1Now && {
        "similarity/top1_agreement": mean(
          top1Before.flatMap((row, b) => row.map((token, t) => Number(token === top1Now[b]![t]))),
        ),
      }),
    "similarity/greedy_changed_share": mean(
      greedyBefore.map((tokens, b) => Number(String(tokens) !== String(greedyNow[b]!))),
    ),
  };
}
