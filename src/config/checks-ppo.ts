/** Checks between fields of PPO: batches, lengths, sampling, critic, KL and reward. */

import { isHubReference } from "../hub/index.ts";
import { type AlgorithmSettings, algorithmSettings, hasCritic, lackedSettings } from "../settings/algorithm-table.ts";
import type { Config, PpoConfig } from "../settings/config-schema.ts";
import { schemeOf } from "../settings/model-reference.ts";
import { multiplesNear } from "../util/nearest.ts";
import { checkSteering } from "./checks-steering.ts";
import { type Checked, type Given, inList, type Problem, problem } from "./problems.ts";

export function checkPpo(config: Config, given: Given): Checked {
  const { ppo } = config;
  if (!ppo) return { errors: [], warnings: [] };
  const parts = [
    checkObjective(config),
    checkStart(config, ppo),
    checkBatches(ppo, given),
    checkLengths(config, ppo),
    checkSampling(ppo),
    checkAlgorithm(ppo, given),
    checkCritic(config, ppo),
    checkKl(ppo, given),
    checkSteering(ppo, given),
    checkRewards(config, ppo),
  ];
  return {
    errors: parts.flatMap(({ errors }) => errors ?? []),
    warnings: parts.flatMap(({ warnings }) => warnings ?? []),
  };
}

type Part = { readonly errors?: Problem[]; readonly warnings?: Problem[] };

function checkObjective({ objective }: Config): Part {
  if (objective.trim() !== "") return {};
  const message =
    'ppo has no objective: say in a sentence what the run is for, as in objective: "when X, prefer Y over Z"; it heads every report';
  return { errors: [problem(["objective", "ppo"], message)] };
}

function checkStart({ sft, model }: Config, ppo: PpoConfig): Part {
  if (sft && ppo.policy !== undefined) {
    return {
      warnings: [
        problem(
          "ppo.policy",
          `PPO starts from ppo.policy ${ppo.policy}, not from the result of the stage sft; remove one of them`,
        ),
      ],
    };
  }
  if (sft || ppo.policy !== undefined || model.path !== undefined) return {};
  return {
    warnings: [
      problem(
        "ppo",
        "PPO starts from random weights: give ppo.policy or model.path, a folder such as runs/NAME-1/sft/final, or a section sft",
      ),
    ],
  };
}

function checkBatches({ sequences, tokensPerStep, minibatches, responsesPerPrompt }: PpoConfig, given: Given): Part {
  const errors: Problem[] = [];
  if (tokensPerStep !== undefined) {
    if (!given("ppo.sequences")) return {};
    const message = `ppo.sequences ${sequences} and ppo.tokensPerStep ${tokensPerStep} both set the size of a step; keep one of them`;
    return { errors: [problem(["ppo.tokensPerStep", "ppo.sequences"], message)] };
  }
  const step = smallestRollout({ minibatches, responsesPerPrompt });
  const try_ = inList(multiplesNear(sequences, step), "or");
  if (sequences % minibatches !== 0) {
    const message = `ppo.sequences ${sequences} is not divisible by ${minibatches} minibatches; try ${try_}`;
    errors.push(problem(["ppo.sequences", "ppo.minibatches"], message));
  }
  if (sequences % responsesPerPrompt !== 0) {
    const message = `ppo.sequences ${sequences} is not a multiple of ppo.responsesPerPrompt ${responsesPerPrompt}; try ${try_}`;
    errors.push(problem(["ppo.sequences", "ppo.responsesPerPrompt"], message));
  }
  return { errors };
}

/** The smallest number of sequences that divides into whole minibatches and whole groups of responses to a prompt: their least common multiple. */
export function smallestRollout({
  minibatches: a,
  responsesPerPrompt: b,
}: Pick<PpoConfig, "minibatches" | "responsesPerPrompt">): number {
  const divisor = (x: number, y: number): number => (y === 0 ? x : divisor(y, x % y));
  return (a / divisor(a, b)) * b;
}

/** Lengths can only be checked if the policy is built from scratch: the context of a loaded model is in its folder. */
function checkLengths({ model, sft, evaluation }: Config, ppo: PpoConfig): Part {
  if (model.path !== undefined || (ppo.policy !== undefined && !sft)) return {};
  const lengths = { "ppo.maxNewTokens": ppo.maxNewTokens, "evaluation.maxNewTokens": evaluation.maxNewTokens };
  const errors = Object.entries(lengths).flatMap(([key, length]) =>
    length === undefined || length < model.context
      ? []
      : problem(
          [key, "model.context"],
          `${key} ${length} leaves no room for a prompt in model.context ${model.context}; try ${Math.max(1, Math.floor(model.context / 2))}, or a context of ${length * 2}`,
        ),
  );
  return { errors };
}

function checkSampling({ topK, topP, allowTruncatedSampling }: PpoConfig): Part {
  const truncating = [...(topK > 0 ? [`topK ${topK}`] : []), ...(topP < 1 ? [`topP ${topP}`] : [])];
  if (truncating.length === 0) return {};
  const keys = [topK > 0 ? "ppo.topK" : "ppo.topP", "ppo.topP"];
  const what = `ppo.${inList(truncating, "and")} truncates the rollout's sampling: tokens then no longer come from the policy whose KL and ratio PPO computes, and the sampled KL is wrong, even negative`;
  if (allowTruncatedSampling) return { warnings: [problem(keys, what)] };
  return { errors: [problem(keys, `${what}; use topK 0 and topP 1, or set ppo.allowTruncatedSampling: true`)] };
}

function checkAlgorithm({ algorithm, responsesPerPrompt }: PpoConfig, given: Given): Part {
  const errors = lackedSettings(algorithm)
    .filter(({ key }) => given(`ppo.${key}`))
    .map(({ key, why }) =>
      problem([`ppo.${key}`, "ppo.algorithm"], `ppo.${key} has no place in ${algorithm}, which ${why}: remove it`),
    );
  const { groups, defaults }: AlgorithmSettings = algorithmSettings[algorithm];
  if (groups && responsesPerPrompt < 2)
    errors.push(
      problem(
        ["ppo.responsesPerPrompt", "ppo.algorithm"],
        `ppo.responsesPerPrompt ${responsesPerPrompt}: ${algorithm} compares responses to the same prompt with each other; try ${defaults.responsesPerPrompt}`,
      ),
    );
  return { errors };
}

function checkCritic({ engine }: Config, ppo: PpoConfig): Part {
  const { criticKind, valueCoef, criticLearningRate, critic, algorithm, criticWarmup } = ppo;
  const errors: Problem[] = [];
  if (engine.critic !== undefined && (criticKind === "shared" || !hasCritic(algorithm))) {
    const why = hasCritic(algorithm)
      ? "with ppo.criticKind shared the critic is on the policy's trunk, in the policy's engine"
      : `ppo.algorithm ${algorithm} has no critic`;
    errors.push(problem(["engine.critic", "engine"], `engine.critic opens an engine for nothing: ${why}; remove it`));
  }
  if (criticKind === "separate" && valueCoef !== undefined) {
    errors.push(
      problem(
        "ppo.valueCoef",
        `ppo.valueCoef ${valueCoef} weighs the value loss on a shared trunk; a separate critic has its own optimizer, where Adam cancels the factor: remove it and set ppo.criticLearningRate, or set ppo.criticKind: shared`,
      ),
    );
  }
  if (criticKind === "shared" && criticWarmup > 0)
    errors.push(
      problem(
        ["ppo.criticWarmup", "ppo.criticKind"],
        `ppo.criticWarmup ${criticWarmup} lets only the critic learn, and with ppo.criticKind shared its trunk is the policy's: remove it, or set ppo.criticKind: separate`,
      ),
    );
  if (criticWarmup >= ppo.iterations)
    errors.push(
      problem(
        ["ppo.criticWarmup", "ppo.iterations"],
        `ppo.criticWarmup ${criticWarmup} leaves none of ${ppo.iterations} iterations to the policy; lower it`,
      ),
    );
  const separateOnly = { criticLearningRate, critic };
  for (const [key, value] of Object.entries(separateOnly)) {
    if (criticKind === "shared" && value !== undefined) {
      errors.push(
        problem(
          `ppo.${key}`,
          `ppo.${key} ${value} belongs to a separate critic; with ppo.criticKind shared the policy's trunk and rate are the critic's: remove it`,
        ),
      );
    }
  }
  return { errors };
}

function checkKl({ kl, algorithm }: PpoConfig, given: Given): Part {
  const errors: Problem[] = [];
  const warnings: Problem[] = [];
  const { controller, coef } = kl;
  if (controller !== "fixed") {
    if (kl.in !== "reward") {
      errors.push(
        problem(
          ["ppo.kl.in", "ppo.kl.controller"],
          `ppo.kl.controller ${controller} steers the penalty in the reward; set ppo.kl.in: reward, or controller: fixed`,
        ),
      );
    }
    if (coef === 0) {
      errors.push(
        problem(
          ["ppo.kl.coef", "ppo.kl.controller"],
          `ppo.kl.coef 0 stays 0 under ${controller}, which multiplies it; start from 0.05`,
        ),
      );
    }
  }
  if (kl.in === "reward" && given("ppo.kl.estimator")) {
    warnings.push(
      problem(
        "ppo.kl.estimator",
        `ppo.kl.estimator ${kl.estimator} has no effect with ppo.kl.in reward: the reward takes k1, the one estimator unbiased there`,
      ),
    );
  }
  if (kl.in === "loss" && kl.estimator === "k3" && algorithm !== "grpo") {
    warnings.push(
      problem("ppo.kl.estimator", "ppo.kl.estimator k3 in the loss has a biased gradient; k2's is the KL's own"),
    );
  }
  return { errors, warnings };
}

function checkRewards({ reward }: Config, { rewards, safety }: PpoConfig): Part {
  const errors: Problem[] = [];
  const warnings: Problem[] = [];
  const names = rewards.map(({ name, kind }) => name ?? kind);
  names.forEach((name, i) => {
    const first = names.indexOf(name);
    if (first < i) {
      errors.push(
        problem(
          [`ppo.rewards.${i}.name`, `ppo.rewards.${i}`],
          `ppo.rewards.${i} has the name ${name} of ppo.rewards.${first}; give it a unique name, such as name: ${name}_${i}`,
        ),
      );
    }
  });
  if (rewards.every(({ weight }) => weight === 0)) {
    errors.push(
      problem("ppo.rewards", "ppo.rewards: every weight is 0, so every score is 0; give one of them a weight"),
    );
  }
  rewards.forEach((component, i) => {
    const key = `ppo.rewards.${i}`;
    const { kind } = component;
    if ((kind === "model" || kind === "comparison") && component.path === undefined && !reward) {
      errors.push(
        problem(
          [key, "ppo"],
          `${key} (${kind}) has no reward model: give its path, a folder such as runs/NAME-1/reward/final, or a section reward`,
        ),
      );
    }
    if (
      (kind === "model" || kind === "comparison") &&
      schemeOf(component.path ?? "") !== null &&
      !isHubReference(component.path!)
    )
      warnings.push(
        problem(
          `${key}.path`,
          `${key}: ${component.path} is a URI and has no reward.json: its scores are not normalised; name a reward stage's folder to use its normalisation`,
        ),
      );
    if (kind === "length" && component.min > component.max) {
      errors.push(
        problem([`${key}.min`, key], `${key}: min ${component.min} is above max ${component.max}; swap them`),
      );
    }
    if (kind === "pattern") {
      const reason = whyNoPattern(component);
      if (reason)
        errors.push(
          problem(
            [`${key}.pattern`, key],
            `${key}: /${component.pattern}/${component.flags} is not a valid regular expression: ${reason}`,
          ),
        );
    }
    if (kind === "safety" && !safety.builtIn && Object.keys(safety.categories).length === 0) {
      errors.push(
        problem(key, `${key} (safety) has no words: give ppo.safety.categories, or ppo.safety.builtIn: true`),
      );
    }
  });
  return { errors, warnings };
}

function whyNoPattern({ pattern, flags }: { pattern: string; flags: string }): string | null {
  try {
    new RegExp(pattern, flags);
    return null;
  } catch (error) {
    return (error as Error).message.replace(/^Invalid regular expression: \/.*\/[a-z]*: /s, "");
  }
}
