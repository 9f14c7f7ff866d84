/** Detectors on the reward itself: what was wrong with its scores before anything was learned, and whether it moves by itself. */
import { mean, slope } from "../../rl/statistics.ts";
import { type Candidate, type Detector, type Diagnosis, type DiagnosisInput, diagnoses } from "./cause.ts";
import { lastMean, percent, type RunHistory, scoreUnit, short, valuesOf } from "./diagnosis-history.ts";

const start = 3;
/** As in the rules and in the doctor (rules/default.yaml, docs/doctor.md). */
const truncated = 0.3;
const mostlyTruncated = 0.5;
const largeSpread = 10;
/** A success rate under which most small rollouts hold one or two successes. */
const rareSuccess = 0.05;
const clipped = 0.05;
const farOffset = 10;
/** A mean this many standard deviations from 0 is an offset and not a spread. */
const offsetSpreads = 5;
/** Stiennon et al. 2020 and Ouyang et al. 2022 report 65% to 75% on people's pairs. */
const poorAccuracy = 0.65;
const usualAccuracy = 0.7;
const weakCorrelation = 0.3;
const belowChance = 0.35;
const paysForLength = 0.6;

const first = (history: RunHistory, key: string) => mean(valuesOf(history, key).slice(0, start));

/** Detects that over 30% of responses run into `maxNewTokens` from the first iterations on, or that over half do after fewer did. */
export const responsesTruncated: Detector = ({ history, settings }) => {
  const shares = valuesOf(history, "response/truncated_share");
  const before = mean(shares.slice(0, start));
  const now = lastMean(shares, start);
  const { maxNewTokens } = settings;
  if (before > truncated)
    return diagnoses("responses_truncated", `${percent(before)} of responses in the first iterations`, [
      {
        id: "max_new_tokens_short",
        evidence: before > mostlyTruncated ? `most never reach their end within ${maxNewTokens} tokens` : null,
        settings: `ppo.maxNewTokens ${maxNewTokens}`,
        remedy: `ppo.maxNewTokens=${2 * maxNewTokens} or more, or fine-tuning on shorter answers`,
        since: 0,
      },
    ]);
  if (!(now > mostlyTruncated && now - before > truncated)) return [];
  const correlation = lastMean(valuesOf(history, "reward/length_correlation"), 10);
  return diagnoses("responses_truncated", `${percent(now)} of responses, after ${percent(before)} at the start`, [
    {
      id: "reward_pays_length",
      evidence: correlation > paysForLength / 2 ? `score and length correlate at ${short(correlation)}` : null,
      remedy: "a component of the kind length, or ppo.missingEosPenalty=1",
    },
  ]);
};

/** Detects scores of the first iterations from which PPO cannot learn, or that nobody's preference is behind. */
export const rewardSuspect: Detector = (input) => {
  const { history } = input;
  if (valuesOf(history, "reward/score_mean").length === 0) return [];
  return [...spread(input), ...level(input), ...quality(input), ...repeated(input), ...pays(input)];
};

function suspect(seen: string, candidate: Candidate): Diagnosis[] {
  return diagnoses("reward_suspect", seen, [{ since: 0, ...candidate }]);
}

function spread({ history, settings }: DiagnosisInput): Diagnosis[] {
  const spreads = valuesOf(history, "reward/score_std");
  const early = spreads.slice(0, 8);
  // Scores of answers that were cut off say nothing about the reward.
  const cut = first(history, "response/truncated_share") > mostlyTruncated;
  const sure = (text: string) => (cut ? { evidence: null, settings: text } : { evidence: text });
  const flat = early.filter((std) => std === 0).length;
  if (early.length >= start && flat === early.length && lastMean(spreads, 3) === 0)
    return suspect(`all scores are ${short(first(history, "reward/score_mean"))}`, {
      id: "reward_constant",
      ...sure(`in ${flat} iterations of ${settings.sequences} responses no two scores differ`),
      remedy:
        "read samples beside their scores; easier prompts, more SFT, or a component that rewards steps on the way",
    });
  const [low, middle] = [first(history, "reward/score_p5"), first(history, "reward/score_p50")];
  // Of two scores, the share p of the higher one from mean and spread: p / (1 - p) = ((mean - low) / spread)^2.
  const odds = ((first(history, "reward/score_mean") - low) / first(history, "reward/score_std")) ** 2;
  const successes = flat >= start - 1 && Number.isNaN(odds) ? 0 : odds / (1 + odds);
  if (early.length < start || low !== middle || !(successes < rareSuccess)) return [];
  const scores = valuesOf(history, "reward/score_mean");
  const [before, now] = [mean(scores.slice(0, start)), lastMean(scores, start)];
  const learned = now - before > 0.1 * Math.max(1, Math.abs(low));
  const text = `the mean score went from ${short(before)} to ${short(now)}: there are next to no successes to learn from`;
  return suspect(`about ${percent(successes)} of the first responses score above ${short(low)}`, {
    id: "reward_sparse",
    ...(learned ? { evidence: null, settings: text } : sure(text)),
    remedy: "easier prompts, more SFT, more sequences an iteration, or a component that rewards steps on the way",
  });
}

function level({ history, settings }: DiagnosisInput): Diagnosis[] {
  const { scoreClip, valueClip } = settings;
  const std = first(history, "reward/score_std");
  const middle = first(history, "reward/score_mean");
  const beyond = first(history, "reward/score_clipped_share");
  const offset = first(history, "value/offset_to_clip");
  const outside = beyond > clipped ? `; ${percent(beyond)} of the scores are beyond ppo.scoreClip ${scoreClip}` : "";
  if (std > largeSpread || (scoreClip !== null && scoreClip >= 3 && beyond > clipped && std > scoreClip / 3))
    return suspect(`the scores' standard deviation is ${short(std)}`, {
      id: "reward_scale",
      evidence: `the value clip, the KL coefficient and ppo.scoreClip assume one of about 1${outside}`,
      remedy: `divide the score by about ${short(std)}: the component's weight, or the function itself`,
    });
  const far = Math.abs(middle) > offsetSpreads * std;
  if (
    std > 0 &&
    far &&
    (offset > farOffset || beyond > clipped || (valueClip === null && Math.abs(middle) > farOffset))
  )
    return suspect(`the mean score is ${short(middle)}, with a standard deviation of ${short(std)}`, {
      id: "reward_offset",
      evidence: `${Number.isNaN(offset) ? "the critic starts at 0" : `the critic is ${short(offset)} value clips away`}${outside}`,
      remedy: `subtract about ${short(middle)} from the score, or ppo.valueClip=null`,
    });
  return [];
}

function quality({ history, heldOutAccuracy }: DiagnosisInput): Diagnosis[] {
  const probed = valuesOf(history, "reward_model/probe_accuracy");
  const accuracy = Math.min(heldOutAccuracy ?? Number.POSITIVE_INFINITY, probed[0] ?? Number.POSITIVE_INFINITY);
  const now = probed.at(-1) ?? accuracy;
  const correlation = lastMean(valuesOf(history, "reward/gold_correlation"), 10);
  if (now < belowChance || correlation < -0.3)
    return suspect(
      now < belowChance
        ? `it prefers the right answer of ${percent(now)} of held-out pairs`
        : `score and gold correlate at ${short(correlation)}`,
      {
        id: "reward_inverted",
        evidence: "that is below chance: what it scores higher is worse",
        remedy: "look at a pair: is chosen the better one? A component's weight may have the wrong sign",
        since: (history["reward_model/probe_accuracy"] ?? []).find(({ value }) => value < belowChance)?.iteration ?? 0,
      },
    );
  // People's pairs are no surer than 70% themselves: only with a second sign.
  if (!(accuracy < poorAccuracy || (accuracy < usualAccuracy && correlation < weakCorrelation))) return [];
  return suspect(`the reward model prefers the right answer of ${percent(accuracy)} of held-out pairs`, {
    id: "reward_noisy",
    evidence: `chance gives 50%, published reward models have 65% to 75%${Number.isNaN(correlation) ? "" : `; score and gold correlate at ${short(correlation)}`}`,
    remedy: "read pairs: are their labels right? More or cleaner pairs, or more steps, before PPO",
  });
}

/** What scoring the same responses again showed, before the first iteration. */
function repeated({ findings }: DiagnosisInput): Diagnosis[] {
  return findings.flatMap(({ id, what, remedy }) => {
    if (id === "reward/call_order") return suspect(what, { id: "reward_call_order", evidence: what, remedy });
    if (id !== "reward/unrepeatable") return [];
    const drifts = /number of calls/.test(what);
    return suspect(what, { id: drifts ? "reward_drift" : "reward_unrepeatable", evidence: what, remedy });
  });
}

function pays({ history, settings }: DiagnosisInput): Diagnosis[] {
  const found: Diagnosis[] = [];
  const lengths = valuesOf(history, "response/length_mean");
  const grown = lastMean(lengths, start) / mean(lengths.slice(0, start));
  const correlation = lastMean(valuesOf(history, "reward/length_correlation"), 10);
  if (correlation > paysForLength && grown > 1.3)
    found.push(
      ...suspect(`responses are ${short(grown)} times as long as at the start`, {
        id: "reward_pays_length",
        evidence: `score and length correlate at ${short(correlation)}${settings.lengthReward ? ", although a component judges length" : ""}`,
        remedy: "a component of the kind length, or ppo.missingEosPenalty=1",
      }),
    );
  const unsafe = valuesOf(history, "safety/share");
  const rose = lastMean(unsafe, start) - mean(unsafe.slice(0, start));
  const difference = lastMean(valuesOf(history, "safety/score_difference"), 5);
  const errors = lastMean(valuesOf(history, "safety/score_difference_errors"), 5);
  if (difference > 0.5 && errors > 3 && rose > 0.05)
    found.push(
      ...suspect(`unsafe responses rose by ${percent(rose)}`, {
        id: "reward_pays_unsafe",
        evidence: `they score ${short(difference)} standard deviations above the others (${short(errors)} errors)`,
        remedy: "a component of the kind safety, or pairs in which the safe answer is chosen",
      }),
    );
  return found;
}

/** Iterations over which a clock or a counter in the reward shows, and how straight its line is. */
const clockWindow = 8;
const straight = 0.995;
/** New lows in a row: independent values give 6 with a chance of 1 in 720. */
const recordLows = 6;
/** How many times as far as its divergence allows a score may seem to move by chance and by tails that are not Gaussian. */
const tolerance = 2;

/**
 * Detects that the reward itself changes: a quantile of the scores or of a component moves along a straight line for 8 iterations or more, or reaches a
 * new low in each of 6 iterations and falls by a unit, although the policy learns the opposite; or the mean score moves by over a unit and by twice what
 * the policy's divergence from its reference allows, sigma sqrt(2 KL) for Gaussian tails (Donsker and Varadhan 1983; Gao et al. 2023 measure the root).
 */
export const rewardMoves: Detector = (input) => {
  const { history } = input;
  const quantiles = Object.keys(history)
    .filter((key) => /^reward\/(score|component\/.+)_p(5|50|95)$/.test(key))
    .map((key) => ({
      name: key.replace(/^reward\/(component\/)?/, "").replace(/_p(\d+)$/, ", $1% quantile"),
      points: (history[key] ?? []).filter(({ value }) => Number.isFinite(value)),
    }));
  const unit = scoreUnit(history);
  const sign =
    longest(quantiles, (values) => longestLine(values)) ??
    longest(quantiles, (values) => longestFall(values, unit)) ??
    beyondDivergence(input);
  if (sign === null) return [];
  return diagnoses("reward_moves", sign.seen, [
    {
      id: "reward_drift",
      evidence: sign.evidence,
      remedy:
        "score the same responses twice: remove counters, clocks and state from the reward, and pin the model behind a judge",
      since: sign.since,
    },
  ]);
};

interface Stretch {
  readonly from: number;
  readonly length: number;
  /** Change over the stretch. */
  readonly change: number;
  readonly evidence: string;
}

interface Moving {
  readonly seen: string;
  readonly evidence: string;
  readonly since: number;
}

function longest(
  quantiles: readonly { readonly name: string; readonly points: RunHistory[string] }[],
  stretchOf: (values: readonly number[]) => Stretch | null,
): Moving | null {
  const found = quantiles.flatMap(({ name, points }): (Moving & { length: number })[] => {
    const stretch = stretchOf(points.map(({ value }) => value));
    if (stretch === null) return [];
    const { from, length, change, evidence } = stretch;
    return [
      { seen: `${name}: ${short(change)} in ${length} iterations`, evidence, since: points[from]!.iteration, length },
    ];
  });
  return found.sort((a, b) => b.length - a.length)[0] ?? null;
}

/** The longest stretch up to the end, of at least `clockWindow` values all of which change, that lies on a line; null if there is none. */
function longestLine(values: readonly number[]): Stretch | null {
  for (let from = 0; from + clockWindow <= values.length; from++) {
    const part = values.slice(from);
    if (part.some((value, i) => i > 0 && value === part[i - 1])) continue;
    const rate = slope(part);
    const middle = mean(part);
    const total = mean(part.map((value) => (value - middle) ** 2));
    const residual = mean(part.map((value, i) => (value - middle - rate * (i - (part.length - 1) / 2)) ** 2));
    const fit = 1 - residual / total;
    const evidence = `it moves along a straight line (R² ${short(fit)}), as a counter or a clock does and a policy does not`;
    if (fit > straight) return { from, length: part.length, change: part.at(-1)! - part[0]!, evidence };
  }
  return null;
}

/** The longest stretch of new lows, if it is of at least `recordLows` and falls by a unit. */
function longestFall(values: readonly number[], unit: number): Stretch | null {
  let best: Stretch | null = null;
  let lowest = Number.POSITIVE_INFINITY;
  let from = 0;
  for (const [i, value] of values.entries()) {
    if (!(value < lowest)) from = i;
    lowest = Math.min(lowest, value);
    const [length, change] = [i - from + 1, value - values[from]!];
    if (length <= Math.max(recordLows, best?.length ?? 0) || change > -unit) continue;
    best = { from, length, change, evidence: "every iteration brings a new low, while the policy learns to avoid it" };
  }
  return best;
}

function beyondDivergence({ history }: DiagnosisInput): Moving | null {
  const scores = valuesOf(history, "reward/score_mean");
  const divergence = Math.max(0, lastMean(valuesOf(history, "kl/ref_k1_sequence"), start));
  if (scores.length < 10) return null;
  const unit = scoreUnit(history);
  const moved = lastMean(scores, start) - mean(scores.slice(0, start));
  const allowed = unit * Math.sqrt(2 * divergence);
  if (!(Math.abs(moved) > unit && Math.abs(moved) > tolerance * allowed)) return null;
  return {
    seen: `the mean score moved by ${short(moved)}`,
    evidence: `a policy ${short(divergence)} nats a sequence from its reference moves a score of this spread by about ${short(allowed)}`,
    since: 0,
  };
}
