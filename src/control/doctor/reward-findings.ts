/** Findings on the reward before anything trains on it: its scores of the starting policy's samples. */
import { wilson95 } from "../../rl/interval.ts";
import type { DoctorFacts, RewardFacts } from "./facts.ts";
import { type Finding, inWords, percent } from "./finding.ts";

/** Standard deviations above this leave little of a score within a clip of 10; a normalised score has 1. */
const largeSpread = 10;
const fewClipped = 0.05;
/** Value clips between returns and values: the rule value_offset_note. */
const farOffset = 10;
/** The rule truncated_note. */
const manyTruncated = 0.3;
/** A success rate that the samples cannot rule out, by Wilson's 95% interval: at most 2 successes of 64. */
const rareRate = 0.01;
/** Share of the samples with one score: the others, one in ten, are all that PPO learns from. */
const sparseShare = 0.9;

/**
 * Share of held-out pairs ranked rightly below which a reward model says little: half is chance, and published ones rank 65 to 75% of pairs as people do
 * (Stiennon et al. 2020; Ouyang et al. 2022).
 */
const lowAccuracy = 0.6;

const source = "docs/doctor.md: the reward, on samples of the starting policy";

export function rewardFindings({ reward }: Pick<DoctorFacts, "reward">): Finding[] {
  if (reward === null) return [];
  return [
    ...spreadFindings(reward),
    ...levelFindings(reward),
    ...functionFindings(reward),
    ...lengthFindings(reward),
    ...repeatFindings(reward),
    ...pairFindings(reward),
  ];
}

function spreadFindings({ samples, spread, mean, successes, mostFrequent }: RewardFacts): Finding[] {
  if (spread === 0)
    return [
      {
        id: "reward/constant",
        severity: "error",
        what: `all ${samples} samples of the starting policy have the same score, ${inWords(mean)}`,
        why: "PPO learns from differences between scores; a verifier that is never passed has a success rate that may well be under 1%",
        remedy:
          "look at samples and their scores; easier prompts, more SFT, or a component that rewards steps on the way",
        source,
      },
    ];
  if (successes !== null && wilson95(successes, samples)[0] < rareRate)
    return [
      {
        id: "reward/rare_success",
        severity: "warning",
        what: `${successes} of ${samples} samples have the higher of the two scores, and the success rate may be under ${percent(rareRate)}`,
        why: "most rollouts then have hardly a success to learn from",
        remedy: "easier prompts, more SFT, more sequences an iteration, or a component that rewards steps on the way",
        source,
      },
    ];
  if (mostFrequent > sparseShare * samples)
    return [
      {
        id: "reward/sparse",
        severity: "note",
        what: `${mostFrequent} of ${samples} samples have the same score`,
        why: "PPO learns from the few others: their advantages are large and noisy",
        remedy: "many sequences an iteration, easier prompts, or a component that rewards steps on the way",
        source,
      },
    ];
  return [];
}

/** Functions whose own scores are far from a normal score: normalisation mends that, but the user should know. */
function functionFindings({ samples, functions }: RewardFacts): Finding[] {
  return functions.flatMap(({ name, mean, spread, normalised }): Finding[] => {
    if (!normalised) return [];
    const found = `the scores of ${name} have a mean of ${inWords(mean)} and a standard deviation of ${inWords(spread)} on ${samples} samples`;
    const finding = { severity: "note", source } as const;
    const as = "they are normalised to 0 and 1 with the first iteration, and stay on that scale";
    const remedy = "nothing; normalise: false on the component trains on its scores as they are";
    if (spread > largeSpread)
      return [{ ...finding, id: "reward/scale", what: `${found}; ${as}`, why: "a normal score is expected", remedy }];
    if (Math.abs(mean) > farOffset * spread)
      return [{ ...finding, id: "reward/offset", what: `${found}; ${as}`, why: "a critic starts at 0", remedy }];
    return [
      {
        ...finding,
        id: "reward/normalised",
        what: `${found}; ${as}`,
        why: "the value clip, the score clip and the KL coefficient assume a mean of 0 and a spread of 1",
        remedy,
      },
    ];
  });
}

function levelFindings({ samples, spread, mean, clippedShare, offsetToClip }: RewardFacts): Finding[] {
  const findings: Finding[] = [];
  const offset = offsetToClip !== null && offsetToClip > farOffset;
  // The mean, not the spread, carries such scores beyond the clip: dividing by the spread would carry them further.
  const byMean = spread <= largeSpread && Math.abs(mean) > farOffset * spread;
  if (spread > largeSpread || (clippedShare > fewClipped && !(offset && byMean)))
    findings.push({
      id: "reward/scale",
      severity: "warning",
      what: `the score's standard deviation is ${inWords(spread)}, and ${percent(clippedShare)} of ${samples} samples are beyond ppo.scoreClip`,
      why: "clipped scores are equal to PPO, and the value clip and the KL coefficient assume a spread of about 1",
      remedy: byMean
        ? `subtract about ${inWords(mean)} from the score`
        : `divide the score by about ${inWords(spread)}: the component's weight, or the function itself`,
      source,
    });
  if (offset)
    findings.push({
      id: "reward/offset",
      severity: "warning",
      what: `the mean score is ${inWords(mean)}, ${inWords(offsetToClip)} value clips from the critic's start at 0`,
      why: "the clipped value loss moves a value by about one clip an iteration, and until it arrives every advantage has the offset's noise",
      remedy: `subtract about ${inWords(mean)} from the score, or set ppo.valueClip: null`,
      source,
    });
  return findings;
}

function lengthFindings({ samples, truncatedShare }: RewardFacts): Finding[] {
  if (truncatedShare <= manyTruncated) return [];
  return [
    {
      id: "reward/truncated",
      severity: "warning",
      what: `${percent(truncatedShare)} of ${samples} samples run into ppo.maxNewTokens`,
      why: "a response that is cut off is scored on what it has not said yet",
      remedy: "raise ppo.maxNewTokens, or fine-tune on shorter answers",
      source,
    },
  ];
}

function repeatFindings({ samples, repeated, rising, reordered }: RewardFacts): Finding[] {
  if (repeated > 0)
    return [
      {
        id: "reward/unrepeatable",
        severity: "warning",
        what: rising
          ? `scored a second time, ${repeated} of ${samples} samples changed, all in the same direction: the score depends on the number of calls`
          : `scored a second time, ${repeated} of ${samples} samples changed`,
        why: "a score that is not the response's own teaches nothing about it, and a drift looks like learning",
        remedy: "remove counters, clocks and random numbers from the reward; a judge that samples wants temperature 0",
        source,
      },
    ];
  if (reordered === 0) return [];
  return [
    {
      id: "reward/call_order",
      severity: "warning",
      what: `scored in reverse order, ${reordered} of ${samples} samples changed`,
      why: "a score that depends on the other responses, or on their order, moves with the batch and not with the answer",
      remedy: "score each response by itself, or compare responses to one prompt with algorithm: grpo or rloo",
      source,
    },
  ];
}

function pairFindings({ pairs }: RewardFacts): Finding[] {
  return pairs === null ? [] : inaccurate("the reward", pairs.accuracy, `of ${pairs.count} held-out pairs`);
}

/** What the folders of learned rewards say of them. */
export function rewardModelFindings({ rewardModels }: Pick<DoctorFacts, "rewardModels">): Finding[] {
  return rewardModels.flatMap(({ name, accuracy }) =>
    inaccurate(name, accuracy, "of the pairs held out in its training"),
  );
}

function inaccurate(what: string, accuracy: number, pairs: string): Finding[] {
  if (accuracy >= lowAccuracy) return [];
  return [
    {
      id: "reward/inaccurate",
      severity: "warning",
      what: `${what} ranks ${percent(accuracy)} ${pairs} as their labels do; half of them would be chance`,
      why: "a policy that learns from such a score learns what its errors pay for",
      remedy:
        "look at pairs that it gets wrong: labels may be flipped, or chosen and rejected exchanged; then train the reward model again",
      source:
        "docs/doctor.md; published reward models rank 65 to 75% of pairs as people do (Stiennon et al. 2020; Ouyang et al. 2022)",
    },
  ];
}
