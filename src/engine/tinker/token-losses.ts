/**
 * The losses of the interface as functions of each token's log-probability. What a server must know of any of them is one number a token, the derivative
 * by the log-probability: sum -c log p with c = -dL/dlog p has the gradient of L. So every loss that needs only sampled tokens can be trained through
 * the one loss that all servers share, and clip, dual clip and the KL to the reference are the same on each.
 */
import { k2, k3, klDerivative } from "../../rl/kl.ts";
import { EngineError } from "../../util/errors.ts";
import type { CrossEntropyLoss, LossRequest, PolicyLoss } from "../engine.ts";

export interface TokenTerms {
  /** The weighted sum. */
  readonly loss: number;
  /** Its derivative by the log-probability of each scored token, (B, T). */
  readonly gradient: readonly (readonly number[])[];
}

/** Bound of the log ratio (docs/PPO.md row 7). */
const clampedLogRatio = 20;

/** Throws EngineError for a loss that needs more than the log-probabilities of sampled tokens. */
export function supportedLoss(loss: LossRequest): CrossEntropyLoss | PolicyLoss {
  if (loss.name === "value" || loss.name === "pairwise")
    throw new EngineError(`the engine tinker has no scalar heads, which the loss ${loss.name} needs`);
  if (loss.name === "cross_entropy") return loss;
  const { entropyCoef, temperature, penalty } = loss.config;
  const needs = [
    ...(entropyCoef > 0 ? ["an entropy bonus"] : []),
    ...(temperature === 1 ? [] : [`temperature ${temperature}`]),
    ...(penalty?.oldModel ? ["a KL over the whole vocabulary"] : []),
  ];
  if (needs.length > 0) throw new EngineError(`the engine tinker has no loss with ${needs.join(" and ")}`);
  return loss;
}

/** The loss and its derivatives at the given log-probabilities. A number that is not finite stays in them. */
export function tokenTerms(
  loss: CrossEntropyLoss | PolicyLoss,
  logprobs_B_T: readonly (readonly number[])[],
): TokenTerms {
  let total = 0;
  const gradient = logprobs_B_T.map((row, b) => {
    const by = new Array<number>(row.length);
    const weights = loss.weights[b]!;
    for (let t = 0; t < row.length; t++) {
      const weight = weights[t]!;
      const term: Term =
        weight === 0
          ? noTerm
          : loss.name === "cross_entropy"
            ? { loss: -row[t]!, by: -1 }
            : policyTerm(loss, b, t, row[t]!);
      total += weight * term.loss;
      by[t] = weight * term.by;
    }
    return by;
  });
  return { loss: total, gradient };
}

interface Term {
  readonly loss: number;
  /** The derivative by the log-probability. */
  readonly by: number;
}

const noTerm: Term = { loss: 0, by: 0 };

function policyTerm(request: PolicyLoss, b: number, t: number, logprob: number): Term {
  const { clipLow, clipHigh, dualClip, kl, penalty } = request.config;
  const advantage = request.advantages[b]![t]!;
  const logRatio = logprob - request.oldLogprobs[b]![t]!;
  const ratio = Math.exp(Math.min(Math.max(logRatio, -clampedLogRatio), clampedLogRatio));
  let term: Term = { loss: -advantage * ratio, by: Math.abs(logRatio) > clampedLogRatio ? 0 : -advantage * ratio };
  if (penalty) {
    // k3 on the samples of the old policy: (r - 1) - ln r, whose derivative is r - 1.
    const { beta } = penalty;
    term = { loss: term.loss + beta * k3(-logRatio), by: term.by + beta * Math.expm1(logRatio) };
  } else {
    const held = -advantage * Math.min(Math.max(ratio, 1 - clipLow), 1 + clipHigh);
    if (held > term.loss) term = { loss: held, by: 0 };
    const ceiling = dualClip !== null && advantage < 0 ? -advantage * dualClip : Number.POSITIVE_INFINITY;
    if (term.loss > ceiling) term = { loss: ceiling, by: 0 };
  }
  if (kl === null) return term;
  const d = logprob - request.refLogprobs![b]![t]!;
  const distance = kl.estimator === "k2" ? k2(d) : k3(d);
  return { loss: term.loss + kl.coef * distance, by: term.by + kl.coef * klDerivative(d, kl.estimator) };
}
