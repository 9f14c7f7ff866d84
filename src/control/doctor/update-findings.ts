/** Findings on the update: rates, clip, epochs, gradient, critic, and the KL to the reference. */
import { type DoctorFacts, sequencesPerStep } from "./facts.ts";
import { type Finding, inWords, parametersInWords } from "./finding.ts";
import { besideBand, rateBand, rateSource, rounding } from "./scale-findings.ts";

const defaults = "PPO.md, defaults";

export function updateFindings(facts: DoctorFacts): Finding[] {
  return [...rates(facts), ...clipAndEpochs(facts), ...gradient(facts), ...critic(facts), ...reference(facts)];
}

function rates({ ppo, model, sftLearningRate }: DoctorFacts): Finding[] {
  const { learningRate: rate } = ppo;
  const findings: Finding[] = [];
  if (model.parameters !== null) {
    const fitting = rateBand({ ...model, parameters: model.parameters });
    const { low, typical, high } = fitting;
    const side = besideBand(rate, fitting);
    const band = `${inWords(low)} to ${inWords(high)} for ${model.lora ? "an adapter on " : ""}${parametersInWords(model.parameters)} parameters`;
    const remedy = `ppo.learningRate=${inWords(typical)}`;
    if (side === "above")
      findings.push({
        id: "rate/above_band",
        severity: "warning",
        what: `the policy's rate ${inWords(rate)} is above ${band}`,
        why: "the policy leaves the region in which its advantages are valid: KL and clip fraction rise, then the reward falls",
        remedy,
        source: model.lora ? `${rateSource}; ten times that for an adapter (Schulman et al. 2025)` : rateSource,
      });
    if (side === "below")
      findings.push({
        id: "rate/below_band",
        severity: "warning",
        what: `the policy's rate ${inWords(rate)} is below ${band}`,
        why: "a small model hardly moves at the rates of a large one: the reward does not rise",
        remedy,
        source: model.lora ? `${rateSource}; ten times that for an adapter (Schulman et al. 2025)` : rateSource,
      });
  }
  if (sftLearningRate !== null && rate > sftLearningRate)
    findings.push({
      id: "rate/above_sft",
      severity: "warning",
      what: `PPO's rate ${inWords(rate)} is above SFT's ${inWords(sftLearningRate)}`,
      why: "PPO's gradient is far noisier than SFT's: at a higher rate it undoes what SFT has taught",
      remedy: `a rate below ${inWords(sftLearningRate)}; a tenth of it is a usual start`,
      source: `${defaults}: "below SFT's"`,
    });
  return findings;
}

function clipAndEpochs({ ppo: { clipLow, clipHigh, epochs } }: DoctorFacts): Finding[] {
  const findings: Finding[] = [];
  const widest = Math.max(clipLow, clipHigh);
  const narrowest = Math.min(clipLow, clipHigh);
  if (widest >= 0.3)
    findings.push({
      id: "clip/loose",
      severity: "warning",
      what: `the clip range ${inWords(widest)} is loose`,
      why: "one update may then change a token's probability by a third: KL explodes more easily",
      remedy: "ppo.clipHigh=0.2 (and clipLow)",
      source: `${defaults}: clip 0.1 to 0.2; 0.3 is loose`,
    });
  if (narrowest < 0.05)
    findings.push({
      id: "clip/tight",
      severity: "warning",
      what: `the clip range ${inWords(narrowest)} is tight`,
      why: "most tokens are clipped after the first step, and learn nothing from the others",
      remedy: "0.05 at least",
      source: "docs/doctor.md: never below 0.05",
    });
  if (epochs > 4)
    findings.push({
      id: "update/many_epochs",
      severity: "warning",
      what: `${epochs} epochs on each rollout`,
      why: "late epochs fit samples of a policy that is no longer there: KL(old, new) grows with each",
      remedy: "ppo.epochs=4 or fewer, or ppo.stopEpochsAtKl=0.015",
      source: `${defaults}: 1 to 4`,
    });
  return findings;
}

function gradient({ ppo: { maxGradNorm } }: DoctorFacts): Finding[] {
  if (maxGradNorm === null)
    return [
      {
        id: "gradient/unclipped",
        severity: "warning",
        what: "gradients are not clipped",
        why: "a single bad minibatch can throw the policy away: rewards that fall at once often begin so",
        remedy: "ppo.maxGradNorm=1",
        source: `${defaults}: 1.0, published 0.5 to 2.0; PPO.md row 15`,
      },
    ];
  if (maxGradNorm >= 0.5 && maxGradNorm <= 2) return [];
  return [
    {
      id: "gradient/clip_unusual",
      severity: "note",
      what: `gradients are clipped at a norm of ${inWords(maxGradNorm)}`,
      why: maxGradNorm > 2 ? "that rarely binds" : "that binds at almost every step, so that it sets the rate",
      remedy: "ppo.maxGradNorm=1",
      source: `${defaults}: 1.0, published 0.5 to 2.0`,
    },
  ];
}

function critic({ ppo: { learningRate, criticLearningRate } }: DoctorFacts): Finding[] {
  if (criticLearningRate === null) return [];
  const ratio = criticLearningRate / learningRate;
  const source = `${defaults}: the critic's rate is 1.5 to 2 times the policy's`;
  const what = `the critic's rate ${inWords(criticLearningRate)} is ${inWords(ratio)} times the policy's ${inWords(learningRate)}`;
  const remedy = `ppo.criticLearningRate=${inWords(2 * learningRate)}`;
  if (ratio < 1)
    return [
      {
        id: "critic/slow",
        severity: "warning",
        what,
        why: "the critic cannot follow the policy: its values describe the policy of some iterations ago, and advantages are noise",
        remedy,
        source,
      },
    ];
  if (ratio * rounding >= 1.5 && ratio <= 4) return [];
  return [
    {
      id: "critic/rate_unusual",
      severity: "note",
      what,
      why: ratio > 4 ? "it may overfit each rollout" : "it may fall behind when the policy moves",
      remedy,
      source,
    },
  ];
}

function reference({ ppo }: DoctorFacts): Finding[] {
  const { klCoef, klBounded } = ppo;
  const findings: Finding[] = [];
  if (klCoef === 0)
    findings.push({
      id: "kl/no_reference",
      severity: "warning",
      what: "the KL coefficient is 0: nothing holds the policy to its reference",
      why: "the policy drifts to whatever the reward likes, language and all, and a reward's gaps are found sooner",
      remedy: "ppo.kl.coef=0.05",
      source: `${defaults}: 0.05 to 0.2; Ziegler et al. 2019`,
    });
  else if (klCoef < 0.05 / rounding)
    findings.push({
      id: "kl/starts_low",
      severity: "warning",
      what: `the KL coefficient starts low, at ${inWords(klCoef)}`,
      why: "what the policy has drifted away from in its first iterations is rarely recovered; a coefficient that is too high only costs time",
      remedy: "ppo.kl.coef=0.1, lowered once the curves are calm",
      source: `${defaults}: 0.05 to 0.2, better too high at first`,
    });
  const n = sequencesPerStep(ppo);
  if (klBounded && n >= 256)
    findings.push({
      id: "kl/bounded_controller",
      severity: "note",
      what: `the bounded KL controller with ${inWords(n)} sequences a step`,
      why: "that many measure the KL well enough for a constant coefficient or a gentler controller",
      remedy: "ppo.kl.controller=fixed or ziegler",
      source: `${defaults}: advised only under 256 sequences a step`,
    });
  for (const { section, least, greatest } of ppo.klControllers)
    if (Math.max(greatest, 1 / least) > 2 * rounding)
      findings.push({
        id: "kl/controller_jumps",
        severity: "warning",
        what: `the controller of ppo.${section} multiplies its coefficient by ${inWords(least)} to ${inWords(greatest)} in one iteration`,
        why: "one noisy KL then throws the coefficient from one of its bounds towards the other, and the next throws it back",
        remedy: `a longer ppo.${section}.horizon, a smaller alpha, or up and down nearer to 1`,
        source: "PPO.md row 9: the published controllers move it by 2 at most",
      });
  return findings;
}
