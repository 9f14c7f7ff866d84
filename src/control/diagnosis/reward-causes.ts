/** Detectors on the reward: it does not rise, it falls, it swings, or it is judged too early. */
import { mean } from "../../rl/statistics.ts";
import { type Detector, type Diagnosis, type DiagnosisInput, diagnoses } from "./cause.ts";
import { lastMean, percent, scoreUnit, short, swing, trend, valuesOf } from "./diagnosis-history.ts";

/** Iterations before a trend is judged. */
const earliest = 20;
/** A rise below this is flat, in units of the reference's score. */
const flatRise = 0.1;
const suddenFall = 0.5;
const fallWindow = 10;
const swingLimit = 0.1;
const restfulSwing = 0.03;
/** Nats per token per iteration: a policy that moves less counts as still. */
const stillKl = 1e-4;
/** Standard errors from 0 at which a trend is significant. */
const significant = 2;

/** Detects that, after 20 iterations, the mean of the last quarter is less than 0.1 units above that of the first three iterations. */
export const rewardFlat: Detector = (input) => {
  const { history, settings, samples } = input;
  const scores = valuesOf(history, "reward/score_mean");
  if (scores.length < earliest) return [];
  const unit = scoreUnit(history);
  const rise = (lastMean(scores, Math.ceil(scores.length / 4)) - mean(scores.slice(0, 3))) / unit;
  // A fall is a different symptom.
  if (rise >= flatRise || rise < -suddenFall) return [];
  const kl = mean(valuesOf(history, "kl/old_new_k3_token"));
  const step = settings.sequences / settings.minibatches;
  const spread = lastMean(valuesOf(history, "reward/score_std"), 10);
  const sorted = [...samples].sort((a, b) => b.score - a.score);
  return diagnoses("reward_flat", `${signed(rise)} of the reference's spread in ${scores.length} iterations`, [
    {
      id: "learning_rate_low",
      evidence: kl < stillKl ? `the policy hardly moves: KL(old, new) ${short(kl)} nats a token an iteration` : null,
      remedy: `ten times the rate: ppo.learningRate=${short(10 * settings.learningRate)}`,
    },
    {
      id: "sequences_few",
      evidence: null,
      settings: step < 256 ? `${step} a step` : null,
      remedy: `512 or more a step: ppo.sequences=${512 * settings.minibatches}`,
    },
    {
      id: "reward_wrong",
      evidence:
        spread < 0.01 * unit
          ? `nearly all responses score alike: standard deviation ${short(spread)}`
          : kl >= stillKl && step >= 256
            ? `the policy moves (KL(old, new) ${short(kl)}) and the reward does not follow`
            : null,
      remedy: "read samples beside their scores: does the better one score higher?",
      samples: sorted.length > 6 ? [...sorted.slice(0, 3), ...sorted.slice(-3)] : sorted,
    },
  ]);
};

interface Fall {
  readonly at: number;
  readonly size: number;
}

/** The steepest fall of the score over 10 iterations, between means of three; null if below 0.5 units. */
function steepestFall({ history }: DiagnosisInput): Fall | null {
  const points = (history["reward/score_mean"] ?? []).filter(({ value }) => Number.isFinite(value));
  const unit = scoreUnit(history);
  const three = (end: number) => mean(points.slice(Math.max(0, end - 2), end + 1).map(({ value }) => value));
  let worst: Fall | null = null;
  for (let i = 5; i < points.length; i++) {
    for (let before = Math.max(2, i - fallWindow); before <= i - 3; before++) {
      const size = (three(before) - three(i)) / unit;
      if (size > suddenFall && size > (worst?.size ?? 0)) worst = { at: points[before]!.iteration + 1, size };
    }
  }
  return worst;
}

/** Detects that the score falls by more than 0.5 units within 10 iterations. */
export const rewardFalls: Detector = (input) => {
  const { history, settings } = input;
  const fall = steepestFall(input);
  if (fall === null) return [];
  const around = { from: fall.at - 3, to: fall.at + fallWindow };
  const kl = Math.max(...valuesOf(history, "kl/old_new_k3_token", around), 0);
  const clipped = Math.max(...valuesOf(history, "clip/fraction", around), 0);
  const away = lastMean(valuesOf(history, "kl/ref_k3_token", around), 3);
  const before = lastMean(valuesOf(history, "kl/ref_k3_token", { to: around.from }), 3);
  const norms = valuesOf(history, "gradient/policy_norm_max", around);
  const usual = median(valuesOf(history, "gradient/policy_norm", { to: around.from }));
  const spike = Math.max(...norms, 0) / usual;
  const moved = kl > 0.05 || clipped > 0.3;
  return diagnoses("reward_falls", `by ${short(fall.size)} of the reference's spread from iteration ${fall.at} on`, [
    {
      id: "learning_rate_high",
      evidence: moved ? `around it KL(old, new) reached ${short(kl)} and the clip fraction ${short(clipped)}` : null,
      remedy: `a tenth of the rate: ppo.learningRate=${short(settings.learningRate / 10)}`,
    },
    {
      id: "kl_coef_low",
      evidence:
        away > 2 * before && away > 0.1
          ? `KL to the reference went from ${short(before)} to ${short(away)} nats a token`
          : null,
      settings: settings.klCoef < 0.1 ? `ppo.kl.coef ${short(settings.klCoef)}` : null,
      remedy: "ppo.kl.coef=0.1",
    },
    {
      id: "gradient_unclipped",
      evidence: settings.maxGradNorm === null && spike > 10 ? `a norm ${short(spike)} times the usual` : null,
      settings: settings.maxGradNorm === null ? "ppo.maxGradNorm is null" : null,
      remedy: "ppo.maxGradNorm=1",
    },
  ]).filter(({ id, likelihood: p }) => settings.maxGradNorm === null || p > 0.2 || id !== "gradient_unclipped");
};

/**
 * Detects that the score's typical change between neighbours, without the trend, exceeds 10% of the reference's spread in the newest 20 iterations.
 * Noise falls with the root of the number of sequences.
 */
export const metricsSwing: Detector = ({ history, settings }) => {
  const scores = valuesOf(history, "reward/score_mean").slice(-earliest);
  if (scores.length < 5) return [];
  const size = swing(scores) / scoreUnit(history);
  if (!(size > swingLimit)) return [];
  const step = settings.sequences / settings.minibatches;
  const wanted = Math.ceil((step * (size / restfulSwing) ** 2) / 32) * 32;
  const noise = valuesOf(history, "gradient/noise_scale").at(-1);
  const measured = noise === undefined ? "" : `; the gradient's noise scale is ${short(noise)} sequences`;
  return diagnoses(
    "metrics_swing",
    `the score by ${percent(size)} of the reference's spread from one iteration to the next`,
    [
      {
        id: "sequences_few",
        evidence: `${settings.sequences} an iteration, ${step} a step${measured}`,
        remedy: `noise falls with the root of their number: about ${wanted} a step would swing by 3%; 512 a step is usual${noise === undefined ? "" : `, and ${Math.ceil(noise)} what the noise scale suggests`}`,
      },
    ],
  );
};

/** Detects that the whole run's trend of the score is within two standard errors of 0, or that there are fewer than 20 iterations. */
export const trendUnproven: Detector = ({ history }): Diagnosis[] => {
  const scores = valuesOf(history, "reward/score_mean");
  if (scores.length === 0) return [];
  const { rise, standardErrors } = trend(scores);
  const early = scores.length < earliest;
  if (!early && !(Math.abs(standardErrors) < significant)) return [];
  const seen = early
    ? `${scores.length} ${scores.length === 1 ? "iteration" : "iterations"}`
    : `${signed(rise)} over ${scores.length} iterations, ${short(Math.abs(standardErrors))} standard errors from zero`;
  return diagnoses("trend_unproven", seen, [
    {
      id: "judged_early",
      evidence: null,
      settings: early ? `a trend is judged from ${earliest} iterations on` : "chance gives as much",
      remedy: "let it run longer before you conclude anything, or compare seeds",
    },
  ]);
};

function signed(value: number): string {
  return value > 0 ? `+${short(value)}` : short(value);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
