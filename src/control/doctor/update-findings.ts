/** Findings on the update: every setting outside its band, PPO's rate above SFT's, and the controllers of the KL. */
import { outsideBands } from "../bands.ts";
import { type DoctorFacts, sequencesPerStep } from "./facts.ts";
import { type Finding, inWords } from "./finding.ts";
import { rounding } from "./scale-findings.ts";

const defaults = "PPO.md, defaults";

export function updateFindings(facts: DoctorFacts): Finding[] {
  return [...outside(facts), ...aboveSft(facts), ...reference(facts)];
}

/** The settings outside their bands, but those whose findings know more: sequences per step, gamma and lambda. */
function outside(facts: DoctorFacts): Finding[] {
  return outsideBands(facts)
    .filter(({ finding }) => !/^(batch|credit)\//.test(finding))
    .map(({ finding: id, severity, what, why, remedy, source }) => ({ id, severity, what, why, remedy, source }));
}

function aboveSft({ ppo: { learningRate: rate }, sftLearningRate }: DoctorFacts): Finding[] {
  if (sftLearningRate === null || rate <= sftLearningRate) return [];
  return [
    {
      id: "rate/above_sft",
      severity: "warning",
      what: `PPO's rate ${inWords(rate)} is above SFT's ${inWords(sftLearningRate)}`,
      why: "PPO's gradient is far noisier than SFT's: at a higher rate it undoes what SFT has taught",
      remedy: `a rate below ${inWords(sftLearningRate)}; a tenth of it is a usual start`,
      source: `${defaults}: "below SFT's"`,
    },
  ];
}

function reference({ ppo }: DoctorFacts): Finding[] {
  const { klBounded } = ppo;
  const findings: Finding[] = [];
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
