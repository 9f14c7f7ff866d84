/** Findings on the starting policy: whether it was ever fine-tuned, judged by the spread of its answers. */
import type { DoctorFacts, PolicySpread, StopFacts } from "./facts.ts";
import { type Finding, inWords, percent } from "./finding.ts";

/** Entropy divided by that of a uniform choice among all tokens: random weights have 1. */
const untrainedShare = 0.7;
/** Nats; a fine-tuned policy with a large vocabulary starts between 1.5 and 2.0 (docs/doctor.md, first eighth). */
const wideEntropy = 3;
/** A vocabulary of this size or more is large: entropy in nats then has its own scale. */
const largeVocabulary = 10_000;
const fewEnds = 0.1;
const sameAnswers = 0.9;
const narrowEntropy = 0.05;

const why =
  "PPO sharpens what a policy does now and then; it does not teach a language. Supervised fine-tuning comes first (Ouyang et al. 2022)";
const remedy = "fine-tune first: a section sft, or ppo.policy with the folder of a fine-tuned model";
const source =
  "docs/doctor.md: a policy never fine-tuned, by its measured spread; docs/evidence.md: what it costs small models";

export function policyFindings(facts: DoctorFacts): Finding[] {
  const { stops } = facts.model;
  return [...trainingFindings(facts), ...(stops === null ? [] : [stopFinding(stops)])];
}

function stopFinding({ tokens, strings, turnEnd }: StopFacts): Finding {
  const texts =
    strings.length === 0 ? "" : `, or where its text holds ${strings.map((text) => JSON.stringify(text)).join(" or ")}`;
  const end =
    turnEnd === null
      ? "no chat template ends turns with a token: completions are taught to end with EOS"
      : `fine-tuning teaches ${turnEnd}`;
  return {
    id: "policy/stops",
    severity: "note",
    what: `a response stops at ${tokens.join(" or ")}${texts}; ${end}`,
    why: "a model that ends its turns with a different token keeps generating up to ppo.maxNewTokens, and is scored on that",
    remedy: "ppo.stopTokens or ppo.stopStrings, if the model ends its turns differently",
    source: "docs/data-formats.md, where a response ends",
  };
}

function trainingFindings({ model }: DoctorFacts): Finding[] {
  if (model.start === "random" && model.spread === null)
    return [
      { id: "policy/untrained", severity: "warning", what: "PPO starts from random weights", why, remedy, source },
    ];
  return model.spread === null ? [] : spreadFindings(model.spread);
}

function spreadFindings(spread: PolicySpread): Finding[] {
  const { entropyMean, vocabularySize, eosShare, agreement, samples } = spread;
  const measured = `measured on ${samples} samples`;
  const uniform = Math.log(vocabularySize);
  if (entropyMean > untrainedShare * uniform)
    return [
      {
        id: "policy/untrained",
        severity: "warning",
        what: `the policy's entropy is ${inWords(entropyMean)} nats of the ${inWords(uniform)} of a uniform choice (${measured}): it was never trained`,
        why,
        remedy,
        source,
      },
    ];
  const findings: Finding[] = [];
  if (vocabularySize >= largeVocabulary && entropyMean > wideEntropy)
    findings.push({
      id: "policy/wide",
      severity: "warning",
      what: `the policy's entropy is ${inWords(entropyMean)} nats (${measured}); one that was fine-tuned starts between 1.5 and 2`,
      why,
      remedy,
      source,
    });
  if (eosShare < fewEnds)
    findings.push({
      id: "policy/never_ends",
      severity: "warning",
      what: `${percent(eosShare)} of the policy's responses end by themselves (${measured})`,
      why: "a model that was fine-tuned on replies knows where they end; scores of cut-off responses say little",
      remedy: "fine-tune first, or raise ppo.maxNewTokens if replies are longer than that",
      source,
    });
  if ((agreement !== null && agreement > sameAnswers) || entropyMean < narrowEntropy)
    findings.push({
      id: "policy/narrow",
      severity: "warning",
      what: `the policy has hardly any spread: entropy ${inWords(entropyMean)} nats${agreement === null ? "" : `, ${percent(agreement)} of repeated samples are the same`} (${measured})`,
      why: "PPO learns from differences between responses to the same prompt; here they hardly differ",
      remedy: "fewer steps of SFT, or a higher ppo.temperature",
      source,
    });
  return findings;
}
