/** The settings of a configuration's section `ppo`, as the doctor and the diagnosis judge them. */
import { reachOf } from "../../rl/index.ts";
import { algorithmSettings, hasCritic } from "../../settings/algorithm-table.ts";
import type { PpoConfig } from "../../settings/config-schema.ts";
import type { PpoFacts } from "./facts.ts";

export function ppoFacts(ppo: PpoConfig): PpoFacts {
  const { iterations, sequences, minibatches, epochs, responsesPerPrompt, maxNewTokens, temperature } = ppo;
  const { learningRate, criticLearningRate, clipLow, clipHigh, gamma, lambda, kl, maxGradNorm } = ppo;
  const { topK, topP, beta1, beta2, epsilon, weightDecay, warmup, entropyCoef, whitenAdvantages } = ppo;
  const { dualClip, stopEpochsAtKl, policyLoss, penalty, slowCritic, scoreClip, missingEosPenalty } = ppo;
  const critic = hasCritic(ppo.algorithm);
  const shared = critic && ppo.criticKind === "shared";
  return {
    ...{ iterations, sequences, minibatches, epochs, responsesPerPrompt, maxNewTokens, temperature },
    ...{ topK, topP, beta1, beta2, epsilon, weightDecay, warmup, entropyCoef, whitenAdvantages },
    ...{ dualClip, stopEpochsAtKl, scoreClip, missingEosPenalty },
    groups: algorithmSettings[ppo.algorithm].groups,
    penaltyBeta: policyLoss === "penalty" ? penalty.beta : null,
    valueClip: critic ? ppo.valueClip : null,
    valueCoef: shared ? (ppo.valueCoef ?? 1) : null,
    slowCriticDecay: critic && slowCritic !== null ? slowCritic.decay : null,
    learningRate,
    criticLearningRate: shared || !critic ? null : (criticLearningRate ?? 2 * learningRate),
    ...{ clipLow, clipHigh, gamma, maxGradNorm },
    lambda: critic ? lambda : null,
    klCoef: kl.coef,
    // Finds the preset's name anywhere in the controller's settings.
    klBounded: JSON.stringify(kl).includes('"bounded"'),
    klControllers: klControllers(ppo),
  };
}

function klControllers(ppo: PpoConfig): PpoFacts["klControllers"] {
  const sections = ppo.policyLoss === "penalty" ? (["kl", "penalty"] as const) : (["kl"] as const);
  return sections.flatMap((section) => {
    const { target, targetEnd } = ppo[section];
    if (ppo[section].controller === "fixed" || target === undefined) return [];
    return [{ section, ...reachOf(ppo[section], { ...ppo, target: Math.max(target, targetEnd ?? 0) }) }];
  });
}
