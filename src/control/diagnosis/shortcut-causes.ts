/** The detector of shortcuts: a reward that rises without the quality that it stands for. */
import { type Detector, diagnoses } from "./cause.ts";
import { lastMean, percent, type RunHistory, scoreUnit, short, swing, valuesOf } from "./diagnosis-history.ts";

/** One sign of a shortcut: what is seen, and the evidence specific to a shortcut. */
interface Sign {
  readonly seen: string;
  readonly evidence: string;
  /** The first iteration in which it shows. */
  readonly since?: number;
}

/**
 * Detects shortcuts. Strong signs: over 20 iterations the score rises while gold falls by more than 0.05; or it has risen while one gold check is over
 * 0.25 below its first measurement; or one component rises while another falls. Weak signs, of which one only makes a shortcut possible: the score
 * rises while distinct bigrams halve; gold hardly correlates with the score (under 0.3) although over a tenth of answers fail it; over 30% of a
 * component's scores are outside the range that its model was trained on.
 */
export const rewardTooClever: Detector = ({ history, done, samples }) => {
  const present = (signs: readonly (Sign | null)[]) => signs.filter((sign) => sign !== null);
  const strong = present([goldFell(history, done), checkLost(history), oneTakesOver(history)]);
  const outside = outsideTraining(history);
  const weak = present([wordsLost(history, done), goldIgnored(history, done), outside]);
  const signs = [...strong, ...weak];
  if (signs.length === 0) return [];
  const seen = signs.map(({ seen }) => seen).join("; ");
  const evidence = signs.map(({ evidence }) => evidence).join("; ");
  const sure = strong.length > 0 || weak.length > 1;
  const since = signs.find((sign) => sign.since !== undefined)?.since;
  const reading = { samples: [...samples].sort((a, b) => b.score - a.score).slice(0, 3) };
  if (!sure && outside !== null)
    return diagnoses("reward_too_clever", seen, [
      {
        id: "reward_outside_training",
        evidence,
        remedy: "train the reward model on answers of this policy, or raise ppo.kl.coef",
        ...reading,
      },
    ]);
  return diagnoses("reward_too_clever", seen, [
    {
      id: "reward_shortcut",
      evidence: sure ? evidence : null,
      settings: sure ? null : evidence,
      remedy: "read the highest scores; raise ppo.kl.coef, or fix the reward and start again from before it rose",
      ...(since !== undefined && { since }),
      ...reading,
    },
  ]);
};

/** A fall of gold that is more than its noise, as a share: two standard errors of a monitoring set of 128 samples. */
const goldLost = 0.1;

/** Detects that the mean of the last three gold measurements is more than 0.1 below the best mean of three. */
export const goldFalls: Detector = ({ history }) => {
  const gold = (history["monitor/gold"] ?? []).filter(({ value }) => Number.isFinite(value));
  if (gold.length < 6) return [];
  const three = (end: number) =>
    lastMean(
      gold.slice(0, end).map(({ value }) => value),
      3,
    );
  const ends = gold.map((_, i) => i + 1).filter((end) => end >= 3);
  const best = ends.reduce((top, end) => (three(end) > three(top) ? end : top), 3);
  const fall = three(best) - three(gold.length);
  if (!(fall > goldLost)) return [];
  const since = gold[best - 1]!.iteration;
  const before = { from: since - 10, to: since + 1 };
  const scores = valuesOf(history, "reward/score_mean", { from: since });
  const scoreRose = lastMean(scores, 3) > lastMean(scores.slice(0, 3), 3);
  const kl = Math.max(...valuesOf(history, "kl/old_new_k3_token", { from: since }), 0);
  const usual = lastMean(valuesOf(history, "kl/old_new_k3_token", before), 10);
  return diagnoses(
    "gold_falls",
    `from ${percent(three(best))} to ${percent(three(gold.length))} since iteration ${since}`,
    [
      {
        id: "learning_rate_high",
        evidence: null,
        settings:
          kl > 0.05 || kl > 3 * usual ? `KL(old, new) reached ${short(kl)} nats a token, after ${short(usual)}` : null,
        remedy: "a lower rate, from a checkpoint before the fall",
        since,
      },
      {
        id: "reward_wrong",
        evidence: null,
        settings: scoreRose ? "the score rose meanwhile" : "the score fell with it",
        remedy: "read samples beside their scores: does the better one score higher?",
        since,
      },
    ],
  );
};

/** Detects one component that rises by over half a unit while another falls by over a fifth, both over the whole run and beyond their swings. */
function oneTakesOver(history: RunHistory): Sign | null {
  const unit = scoreUnit(history);
  const moves = Object.keys(history)
    .filter((key) => /^reward\/component\/.+_mean$/.test(key))
    .flatMap((key) => {
      const values = valuesOf(history, key);
      if (values.length < 10) return [];
      const middle = swing(values);
      const moved = lastMean(values, 3) - lastMean(values.slice(0, 3), 3);
      const name = key.slice("reward/component/".length, -"_mean".length);
      return Math.abs(moved) > 2 * middle ? [{ name, moved, since: history[key]![0]!.iteration }] : [];
    });
  const [up] = [...moves].sort((a, b) => b.moved - a.moved);
  const [down] = [...moves].sort((a, b) => a.moved - b.moved);
  if (up === undefined || down === undefined || !(up.moved > 0.5 * unit && down.moved < -0.2 * unit)) return null;
  return {
    seen: `the component ${up.name} rose by ${short(up.moved)}`,
    evidence: `meanwhile the component ${down.name} fell by ${short(-down.moved)}: the policy trades one for the other`,
    ...(up.since > 0 && { since: up.since }),
  };
}

function rise(values: readonly number[]): number {
  return values.length < 2 ? Number.NaN : values.at(-1)! - values[0]!;
}

/** The scores to compare with gold: of the same samples, or of the rollouts if none were recorded. */
function judgedScores(history: RunHistory, from = 0): number[] {
  const scores = valuesOf(history, "monitor/score", { from });
  return scores.length > 0 ? scores : valuesOf(history, "reward/score_mean", { from });
}

function goldFell(history: RunHistory, done: number): Sign | null {
  const from = done - 21;
  const fall = -rise(valuesOf(history, "monitor/gold", { from }));
  const scoreRise = rise(judgedScores(history, from));
  if (!(scoreRise > 0 && fall > 0.05)) return null;
  return {
    seen: `gold fell by ${short(fall)} over 20 iterations`,
    evidence: `the score rose by ${short(scoreRise)} over the same iterations`,
  };
}

const notChecks = new Set([
  ...["monitor/gold", "monitor/gold_se", "monitor/score", "monitor/check_fall", "monitor/check_fall_errors"],
]);

/** Applies the rule check_lost over as many measurements; the mean over checks hides one that falls while others rise. */
function checkLost(history: RunHistory): Sign | null {
  const scoreRise = rise(judgedScores(history));
  if (!(scoreRise > 0)) return null;
  const [lost] = Object.keys(history)
    .filter((key) => key.startsWith("monitor/") && !notChecks.has(key))
    .map((key) => ({ name: key.slice("monitor/".length), shares: valuesOf(history, key) }))
    .filter(({ shares }) => shares.length > 3 && shares[0]! - Math.max(...shares.slice(-3)) > 0.25)
    .sort((a, b) => rise(a.shares) - rise(b.shares));
  if (lost === undefined) return null;
  return {
    seen: `the gold check monitor/${lost.name} fell from ${percent(lost.shares[0]!)} to ${percent(lost.shares.at(-1)!)}`,
    evidence: `meanwhile the score rose by ${short(scoreRise)}`,
  };
}

function wordsLost(history: RunHistory, done: number): Sign | null {
  const bigrams = valuesOf(history, "response/distinct_2");
  const left = lastMean(bigrams, 3) / (bigrams[0] ?? Number.NaN);
  const scoreRise = rise(valuesOf(history, "reward/score_mean", { from: done - 20 }));
  if (!(scoreRise > 0 && left < 0.5)) return null;
  return {
    seen: `distinct bigrams are at ${percent(left)} of the start's`,
    evidence: `the score rose by ${short(scoreRise)} over 20 iterations while the wording became less varied`,
  };
}

/**
 * If few answers fail, there is little to correlate with: for normal scores and a check that passes a share p the correlation is at most
 * pdf(quantile(p)) / sqrt(p (1 - p)), 0.58 at 90%, 0.47 at 95% and 0.27, under the threshold, at 99%.
 */
const fewFail = 0.9;

function goldIgnored(history: RunHistory, done: number): Sign | null {
  const recent = { from: done - 20 };
  const correlation = lastMean(valuesOf(history, "reward/gold_correlation", recent), 3);
  const gold = lastMean(valuesOf(history, "gold/mean", recent), 3);
  if (!(correlation < 0.3 && gold < fewFail)) return null;
  return {
    seen: `score and gold correlate at ${short(correlation)}`,
    evidence: `${percent(1 - gold)} of answers fail their gold check, enough for a score to tell them apart`,
  };
}

function outsideTraining(history: RunHistory): Sign | null {
  const outside = Object.keys(history)
    .filter((key) => key.endsWith("_outside_training_share"))
    .map((key) => [key, lastMean(valuesOf(history, key), 3)] as const)
    .find(([, share]) => share > 0.3);
  if (outside === undefined) return null;
  const name = outside[0].replace(/^reward\/component\/|_outside_training_share$/g, "");
  return {
    seen: `${percent(outside[1])} of ${name}'s scores are outside those it was trained on`,
    evidence: `${name} judges answers unlike those that it learned from`,
  };
}
