/** The detector of shortcuts: a reward that rises without the quality that it stands for. */
import { type Detector, diagnoses } from "./cause.ts";
import { lastMean, percent, type RunHistory, short, valuesOf } from "./diagnosis-history.ts";

/** One sign of a shortcut: what is seen, and the evidence specific to a shortcut. */
interface Sign {
  readonly seen: string;
  readonly evidence: string;
}

/**
 * Detects shortcuts: over 20 iterations the score rises while gold falls by more than 0.05; or it has risen while one gold check is over 0.25 below
 * its first measurement; or the score rises while distinct bigrams halve; or gold hardly correlates with the score (under 0.3) although over a tenth
 * of answers fail it; or over 30% of a component's scores are outside the range that its model was trained on.
 */
export const rewardTooClever: Detector = ({ history, done, samples }) => {
  const signs = [
    goldFell(history, done),
    checkLost(history),
    wordsLost(history, done),
    goldIgnored(history, done),
    outsideTraining(history),
  ].filter((sign) => sign !== null);
  if (signs.length === 0) return [];
  return diagnoses("reward_too_clever", signs.map(({ seen }) => seen).join("; "), [
    {
      id: "reward_shortcut",
      evidence: signs.map(({ evidence }) => evidence).join("; "),
      remedy: "read the highest scores; raise ppo.kl.coef, or fix the reward and start again from before it rose",
      samples: [...samples].sort((a, b) => b.score - a.score).slice(0, 3),
    },
  ]);
};

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

const notChecks = new Set(["monitor/gold", "monitor/score", "monitor/check_fall"]);

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
