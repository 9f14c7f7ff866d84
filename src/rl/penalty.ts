/** PPO's penalty form of the policy loss, with the full categorical KL from old to new (PPO.md row 9). */
import { logSoftmax } from "./logprob.ts";
import { checkSameLength, checkSameShape, type Rows } from "./rows.ts";

export interface PenaltyOptions {
  readonly logits: Rows;
  readonly oldLogits: Rows;
  readonly tokens: readonly number[];
  readonly advantages: readonly number[];
  /** Weight of KL(old, new); not `klCoef`, which is to the reference. */
  readonly penaltyBeta: number;
  readonly temperature: number;
}

export interface PenaltyTerms {
  /** -r A + penaltyBeta KL(old, new) for each of T tokens. */
  readonly loss: number[];
  /** KL(old, new) over the whole vocabulary, in nats. */
  readonly kl: number[];
  readonly ratio: number[];
  /** Derivative of each token's loss by its own logits, (T, V). */
  readonly gradient: number[][];
}

/** Schulman et al. 2017, eq. 8. */
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
