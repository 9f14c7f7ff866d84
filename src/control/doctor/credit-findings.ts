/** Findings on gamma and lambda compared with the reward's grain, and on the reward's components. */
import { lambdaBand as medium } from "../bands.ts";
import type { DoctorFacts, RewardGrain } from "./facts.ts";
import { type Finding, inWords, percent } from "./finding.ts";

const source = "PPO.md, defaults: gamma and lambda";
/** A response of at least this many tokens is judged late. */
const lateFrom = 512;

/** What the reward judges if the configuration does not say: every component here gives one score per response. */
function grainOf({ grain, ppo }: Pick<DoctorFacts, "grain" | "ppo">): RewardGrain {
  return grain ?? (ppo.maxNewTokens >= lateFrom ? "late" : "turn");
}

const grainWords: Readonly<Record<RewardGrain, string>> = {
  turn: "one score per turn",
  steps: "a reward that scores fine steps",
  late: "a score late, after a long response",
};

export function creditFindings(facts: DoctorFacts): Finding[] {
  return [...discount(facts), ...lambdas(facts), ...components(facts)];
}

function discount({ ppo, grain }: DoctorFacts): Finding[] {
  const { gamma, maxNewTokens } = ppo;
  const left = gamma ** maxNewTokens;
  if (grain === "steps" || left >= 0.5) return [];
  return [
    {
      id: "credit/gamma_forgets",
      severity: "warning",
      what: `with gamma ${inWords(gamma)} a score after ${maxNewTokens} tokens reaches the first one at ${percent(left)} of its weight`,
      why: "a score at the end judges all of the response; discounting teaches the policy that its beginning hardly matters, and to be brief",
      remedy: "ppo.gamma=1",
      source,
    },
  ];
}

function lambdas({ ppo, grain: configured, coldCritic }: DoctorFacts): Finding[] {
  const { lambda, learningRate, criticLearningRate } = ppo;
  if (lambda === null) return [];
  const grain = grainOf({ ppo, grain: configured });
  const findings: Finding[] = [];
  if (grain === "late" && lambda > medium.high)
    findings.push({
      id: "credit/lambda_high",
      severity: "warning",
      what: `lambda ${inWords(lambda)} with ${grainWords[grain]}`,
      why: "late, sparse feedback carried back almost undiminished is mostly noise",
      remedy: "ppo.lambda=0.95",
      source,
    });
  if (grain !== "late" && lambda < medium.low)
    findings.push({
      id: "credit/lambda_low",
      severity: "warning",
      what: `lambda ${inWords(lambda)} with ${grainWords[grain]}`,
      why:
        grain === "steps"
          ? "fine steps are worth carrying back further: they say much about the tokens before them"
          : `a score reaches back about ${inWords(1 / (1 - Math.min(lambda, 0.999)))} tokens by itself; the rest rests on the critic, which is poor at first`,
      remedy: `ppo.lambda=${grain === "steps" ? "0.97" : "0.95"}`,
      source,
    });
  if (coldCritic)
    findings.push({
      id: "critic/cold",
      severity: "warning",
      what: "the critic has a trunk of its own, knows nothing of the reward yet, and teaches the policy from the first iteration",
      why: "until it explains part of the returns its advantages are noise, and a lambda below 1 lets that noise replace what was sampled",
      remedy: "ppo.criticWarmup=5 ppo.lambdaFrom=0.2",
      source: "docs/engines.md, a server of Tinker's protocol",
    });
  if (grain === "steps" && criticLearningRate !== null && criticLearningRate < 1.5 * learningRate)
    findings.push({
      id: "critic/weak_for_steps",
      severity: "warning",
      what: `${grainWords[grain]}, and a critic with ${inWords(criticLearningRate / learningRate)} times the policy's rate`,
      why: "fine steps want a stronger critic, trained more often",
      remedy: `ppo.criticLearningRate=${inWords(2 * learningRate)}`,
      source,
    });
  return findings;
}

function components({ rewards }: DoctorFacts): Finding[] {
  if (rewards.length !== 1) return [];
  return [
    {
      id: "reward/one_component",
      severity: "warning",
      what: `the reward has one component, ${rewards[0]}`,
      why: "whatever it cannot see may go wrong unnoticed, and a policy finds the gaps of a single judge soonest",
      remedy:
        "add one that judges something else, such as {kind: length, max: 64} or {kind: repetition}, with a small weight; weight 0 only watches it",
      source: "docs/doctor.md; Gao et al. 2023, Scaling laws for reward model overoptimization",
    },
  ];
}
