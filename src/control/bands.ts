/** The published band of every setting of `ppo` that has one: the doctor judges a configuration by it, the diagnosis a run. */
import type { CauseId } from "./diagnosis/causes.ts";
import { corners } from "./doctor/corners.ts";
import { type ModelFacts, type PpoFacts, sequencesPerStep } from "./doctor/facts.ts";
import { type FindingId, inWords, parametersInWords, type Severity } from "./doctor/finding.ts";
import { rateBand, rateSource, rounding } from "./doctor/scale-findings.ts";

export type BandFacts = { readonly ppo: PpoFacts; readonly model: Pick<ModelFacts, "parameters" | "lora"> };

/** A setting outside its band. */
export interface Outside {
  /** The setting's key. */
  readonly setting: string;
  readonly value: number;
  readonly cause: CauseId;
  readonly finding: FindingId;
  readonly severity: Severity;
  /** How far outside: 1 if by so much that the setting by itself explains trouble, less if it is near the band; at most 3. */
  readonly distance: number;
  /** The setting and its band, in words. */
  readonly what: string;
  readonly why: string;
  readonly remedy: string;
  readonly source: string;
}

/** One side of a band. */
interface Side {
  readonly cause: CauseId;
  readonly finding: FindingId;
  readonly severity?: Severity;
  readonly why: string;
}

interface Band {
  readonly setting: string;
  /** The setting in a sentence. */
  readonly says: string;
  /** null: there is nothing to judge. Infinity: the setting is off, which counts as the most. */
  readonly value: number | null;
  readonly low?: number;
  readonly high?: number;
  /** The factor outside the band at which the setting by itself explains trouble. */
  readonly grave: number;
  readonly below?: Side;
  readonly above?: Side;
  readonly remedy: string;
  readonly source: string;
}

const defaults = "PPO.md, defaults";
const furthest = 3;

/** Sequences a step under which a step is mostly noise: PPO.md, defaults; small models have known-good corners with fewer. */
const tinyStep = 64;
const smallModel = 10e6;
const smallCorners = corners.filter(({ parameters }) => parameters <= smallModel);
const smallestCorner = Math.min(...smallCorners.map(({ sequencesPerStep: n }) => n));
/** Twice the largest known-good corner. */
export const largeStep = 1024;

/** Sequences a step under which a step is mostly noise, for a model of this size. */
export function fewestSequences({ parameters }: BandFacts["model"]): number {
  return parameters !== null && parameters <= smallModel ? Math.min(tinyStep, smallestCorner) : tinyStep;
}

/** The settings that are outside their bands. */
export function outsideBands(facts: BandFacts): Outside[] {
  return bands(facts).flatMap((band): Outside[] => {
    const { setting, says, value, low, high, grave, remedy, source } = band;
    if (value === null) return [];
    const below = low !== undefined && value * rounding < low;
    const above = high !== undefined && value > high * rounding;
    const side = below ? band.below : above ? band.above : undefined;
    if (side === undefined) return [];
    const ratio = below ? low / value : value / high!;
    // A setting that is off has no ratio.
    const distance = value === Number.POSITIVE_INFINITY ? 1 : Math.min(furthest, Math.log(ratio) / Math.log(grave));
    const { cause, finding, severity = "warning", why } = side;
    const range =
      low === undefined || low === 0
        ? `at most ${inWords(high!)}`
        : high === undefined
          ? `at least ${inWords(low)}`
          : `${inWords(low)} to ${inWords(high)}`;
    const shown = value === Number.POSITIVE_INFINITY ? "off" : inWords(value);
    const what = `${says} is ${shown}, ${below ? "below" : "above"} its band of ${range}`;
    return [{ setting, value, cause, finding, severity, distance, what, why, remedy, source }];
  });
}

/** The causes that the bands can name or rule out for these settings: those of settings that are in use. */
export function judgedCauses(facts: BandFacts): ReadonlySet<CauseId> {
  const used = bands(facts).filter(({ value }) => value !== null);
  return new Set(used.flatMap(({ below, above }) => [below, above].flatMap((side) => (side ? [side.cause] : []))));
}

function bands(facts: BandFacts): Band[] {
  return [...rateBands(facts), ...updateBands(facts), ...samplingBands(facts), ...rewardBands(facts)];
}

function rateBands({ ppo, model }: BandFacts): Band[] {
  const { learningRate, criticLearningRate } = ppo;
  const { parameters, lora = false } = model;
  const fitting = parameters === null ? null : rateBand({ parameters, lora });
  // Compared with a policy's rate that is itself outside, the critic's would look wrong on the other side.
  const beside = fitting === null ? learningRate : Math.min(fitting.high, Math.max(fitting.low, learningRate));
  const own: Band[] =
    fitting === null
      ? []
      : [
          {
            setting: "ppo.learningRate",
            says: `the policy's rate for ${lora ? "an adapter on " : ""}${parametersInWords(parameters!)} parameters`,
            value: learningRate,
            ...{ low: fitting.low, high: fitting.high, grave: 3 },
            below: {
              cause: "learning_rate_low",
              finding: "rate/below_band",
              why: "a small model hardly moves at the rates of a large one: the reward does not rise",
            },
            above: {
              cause: "learning_rate_high",
              finding: "rate/above_band",
              why: "the policy leaves the region in which its advantages are valid: KL and clip fraction rise, then the reward falls",
            },
            remedy: `ppo.learningRate=${inWords(fitting.typical)}`,
            source: lora ? `${rateSource}; ten times that for an adapter (Schulman et al. 2025)` : rateSource,
          },
        ];
  if (criticLearningRate === null) return own;
  const ratio = criticLearningRate / beside;
  const slow = criticLearningRate / learningRate < 1;
  return [
    ...own,
    {
      setting: "ppo.criticLearningRate",
      says: `the critic's rate ${inWords(criticLearningRate)}, as a multiple of the policy's,`,
      value: ratio,
      ...{ low: 1.5, high: 4, grave: 3 },
      below: {
        cause: "critic_rate_low",
        finding: slow ? "critic/slow" : "critic/rate_unusual",
        severity: slow ? "warning" : "note",
        why: slow
          ? "the critic cannot follow the policy: its values describe the policy of some iterations ago, and advantages are noise"
          : "it may fall behind when the policy moves",
      },
      above: {
        cause: "critic_rate_high",
        finding: "critic/rate_unusual",
        severity: ratio > 12 ? "warning" : "note",
        why: "it may overfit each rollout, or never settle",
      },
      remedy: `ppo.criticLearningRate=${inWords(2 * beside)}`,
      source: `${defaults}: the critic's rate is 1.5 to 2 times the policy's; up to 4 is common`,
    },
  ];
}

function updateBands({ ppo, model }: BandFacts): Band[] {
  const least = fewestSequences(model);
  return [
    {
      setting: "ppo.sequences",
      says: "sequences a step (ppo.sequences over ppo.minibatches)",
      value: sequencesPerStep(ppo),
      ...{ low: least, grave: 2 },
      below: {
        cause: "sequences_few",
        finding: "batch/tiny_step",
        severity: "error",
        why: "most of such a gradient is noise",
      },
      remedy: `ppo.sequences=${512 * ppo.minibatches}, or fewer minibatches`,
      source: `${defaults}: 64 swings by more than 10%; the smallest known-good corner of a small model has ${smallestCorner}`,
    },
    {
      setting: "ppo.clipHigh",
      says: "the clip range",
      value: Math.max(ppo.clipLow, ppo.clipHigh),
      ...{ high: 0.29, grave: 1.5 },
      above: {
        cause: "clip_wide",
        finding: "clip/loose",
        why: "one update may then change a token's probability by a third: KL explodes more easily",
      },
      remedy: "ppo.clipHigh=0.2 (and clipLow)",
      source: `${defaults}: clip 0.1 to 0.2; 0.3 is loose`,
    },
    {
      setting: "ppo.clipLow",
      says: "the clip range",
      value: Math.min(ppo.clipLow, ppo.clipHigh),
      ...{ low: 0.05, grave: 2 },
      below: {
        cause: "clip_tight",
        finding: "clip/tight",
        why: "most tokens are clipped after the first step, and learn nothing from the others",
      },
      remedy: "0.05 at least",
      source: "docs/doctor.md: never below 0.05",
    },
    {
      setting: "ppo.epochs",
      says: "epochs on each rollout",
      value: ppo.epochs,
      ...{ low: 1, high: 4, grave: 2 },
      above: {
        cause: "epochs_many",
        finding: "update/many_epochs",
        why: "late epochs fit samples of a policy that is no longer there: KL(old, new) grows with each",
      },
      remedy: "ppo.epochs=4 or fewer, or ppo.stopEpochsAtKl=0.015",
      source: `${defaults}: 1 to 4`,
    },
    {
      setting: "ppo.stopEpochsAtKl",
      says: "the KL at which an update ends",
      value: ppo.stopEpochsAtKl,
      ...{ low: 0.005, high: 0.1, grave: 5 },
      below: {
        cause: "update_ends_early",
        finding: "update/ends_early",
        severity: "note",
        why: "the update ends after its first steps, and most of each rollout is never learned from",
      },
      remedy: "ppo.stopEpochsAtKl=0.015",
      source: "Spinning Up ends an update at 1.5 times 0.01; a tenth of it and ten times it were never published",
    },
    {
      setting: "ppo.penalty.beta",
      says: "the weight of the penalty on KL(old, new)",
      value: ppo.penaltyBeta,
      ...{ low: 0.1, high: 10, grave: 5 },
      below: {
        cause: "penalty_weak",
        finding: "update/penalty",
        severity: "note",
        why: "nothing else holds an update together: there is no clip",
      },
      above: {
        cause: "penalty_strong",
        finding: "update/penalty",
        severity: "note",
        why: "the policy can hardly move",
      },
      remedy: "ppo.penalty.beta=1",
      source: "Schulman et al. 2017, section 4: it starts at 1",
    },
    {
      setting: "ppo.maxGradNorm",
      says: "the norm at which gradients are clipped",
      value: ppo.maxGradNorm ?? Number.POSITIVE_INFINITY,
      ...{ low: 0.5, high: 2, grave: 5 },
      below: {
        cause: "gradient_clip_tight",
        finding: "gradient/clip_unusual",
        severity: "note",
        why: "it binds at almost every step, so that it sets the rate",
      },
      above: {
        cause: "gradient_unclipped",
        ...(ppo.maxGradNorm === null
          ? {
              finding: "gradient/unclipped" as const,
              why: "a single bad minibatch can throw the policy away: rewards that fall at once often begin so",
            }
          : { finding: "gradient/clip_unusual" as const, severity: "note" as const, why: "that rarely binds" }),
      },
      remedy: "ppo.maxGradNorm=1",
      source: `${defaults}: 1.0, published 0.5 to 2.0; PPO.md row 15; docs/evidence.md has collapses of small models with and without`,
    },
    ...optimizerBands(ppo),
    ...valueBands(ppo),
  ];
}

function optimizerBands({ beta1, beta2, epsilon, weightDecay, warmup, whitenAdvantages, dualClip }: PpoFacts): Band[] {
  const adam = (setting: string, says: string, value: number, low: number, high: number, usual: string): Band => {
    const side = { cause: "optimizer_unusual", finding: "optimizer/unusual", severity: "note" } as const;
    const why =
      "Adam then averages gradients over a number of steps, or divides by a floor, that nobody has published for PPO";
    return {
      ...{ setting, says, value, low, high, grave: 3 },
      below: { ...side, why },
      above: { ...side, why },
      remedy: `${setting}=${usual}`,
      source: "Kingma and Ba 2015; epsilon 1e-5: Huang et al. 2023",
    };
  };
  return [
    // What counts is 1 - beta: over how many steps moments are averaged.
    adam("ppo.beta1", "the share of a step in Adam's mean, 1 - beta1,", 1 - beta1, 0.05, 0.5, "0.9"),
    adam("ppo.beta2", "the share of a step in Adam's variance, 1 - beta2,", 1 - beta2, 1e-4, 0.05, "0.999"),
    adam("ppo.epsilon", "Adam's epsilon", epsilon, 1e-9, 1e-4, "1e-5"),
    {
      setting: "ppo.weightDecay",
      says: "the weight decay",
      value: weightDecay,
      ...{ high: 0.1, grave: 5 },
      above: {
        cause: "weight_decay_high",
        finding: "optimizer/unusual",
        severity: "note",
        why: "it pulls every weight to 0, away from the reference",
      },
      remedy: "ppo.weightDecay=0",
      source: "Loshchilov and Hutter 2019 use up to 0.1; published PPO for language models uses 0",
    },
    {
      setting: "ppo.warmup",
      says: "the share of the run that warms up",
      value: warmup,
      ...{ high: 0.3, grave: 2 },
      above: {
        cause: "warmup_long",
        finding: "optimizer/unusual",
        severity: "note",
        why: "the rate that was chosen is hardly ever in force",
      },
      remedy: "ppo.warmup=0.05",
      source: "a tenth of the steps and less is usual; a chosen bound",
    },
    {
      setting: "ppo.whitenAdvantages",
      says: "whitening of advantages (1: on)",
      value: Number(whitenAdvantages),
      ...{ low: 1, grave: 10 },
      below: {
        cause: "whitening_off",
        finding: "update/not_whitened",
        severity: "note",
        why: "the scale of the reward then multiplies the rate",
      },
      remedy: "ppo.whitenAdvantages=true",
      source: "PPO.md row 6; Huang et al. 2024",
    },
    {
      setting: "ppo.dualClip",
      says: "the dual clip's constant",
      value: dualClip,
      ...{ low: 1.5, grave: 1.3 },
      below: {
        cause: "dual_clip_tight",
        finding: "clip/tight",
        why: "bad answers are then hardly made less likely",
      },
      remedy: "ppo.dualClip=3",
      source: "Ye et al. 2019: 3",
    },
  ];
}

function valueBands({ valueClip, valueCoef, slowCriticDecay, gamma, lambda, maxNewTokens }: PpoFacts): Band[] {
  return [
    {
      setting: "ppo.valueClip",
      says: "the value clip",
      value: valueClip,
      ...{ low: 0.05, high: 5, grave: 3 },
      below: {
        cause: "value_clip_tight",
        finding: "value/clip",
        severity: "note",
        why: "a value moves by about one clip an iteration: the critic's level takes long to arrive",
      },
      above: { cause: "value_clip_loose", finding: "value/clip", severity: "note", why: "it never binds" },
      remedy: "ppo.valueClip=0.2",
      source: `${defaults}: 0.2; docs/evidence.md: no effect on small models`,
    },
    {
      setting: "ppo.valueCoef",
      says: "the weight of the value loss on the shared trunk",
      value: valueCoef,
      ...{ low: 0.1, high: 2, grave: 3 },
      below: {
        cause: "value_coef_low",
        finding: "value/coefficient",
        severity: "note",
        why: "the critic hardly learns",
      },
      above: {
        cause: "value_coef_high",
        finding: "value/coefficient",
        severity: "note",
        why: "the value loss moves the policy's trunk more than the policy's own",
      },
      remedy: "ppo.valueCoef=0.5",
      source:
        "published 0.1 (Ziegler et al. 2019) to 1 (PPO.md row 10); docs/evidence.md: 1 and 2 alike on small models",
    },
    {
      setting: "ppo.slowCritic.decay",
      says: "the steps that the slow critic averages over, 1/(1 - decay),",
      value: slowCriticDecay === null ? null : 1 / (1 - slowCriticDecay),
      ...{ low: 1, high: 1000, grave: 3 },
      above: {
        cause: "slow_critic_stale",
        finding: "value/slow_critic",
        severity: "note",
        why: "advantages come from a critic of a thousand steps ago",
      },
      remedy: "ppo.slowCritic.decay=0.995",
      source: "PPO.md row 20: 0.995 to 0.999",
    },
    {
      setting: "ppo.gamma",
      says: `the share of a score that reaches the first of ${inWords(maxNewTokens)} tokens, gamma ${inWords(gamma)} to their power,`,
      value: gamma ** maxNewTokens,
      ...{ low: 0.5, grave: 3 },
      below: {
        cause: "gamma_low",
        finding: "credit/gamma_forgets",
        why: "a score at the end judges all of the response; discounting teaches the policy that its beginning hardly matters, and to be brief",
      },
      remedy: "ppo.gamma=1",
      source: "PPO.md, defaults: gamma and lambda",
    },
    {
      setting: "ppo.lambda",
      says: "lambda",
      value: lambda,
      ...{ low: lambdaBand.low, high: 1, grave: 1.3 },
      below: {
        cause: "lambda_low",
        finding: "credit/lambda_low",
        why: "a score reaches back only a few tokens by itself; the rest rests on the critic, which is poor at first",
      },
      remedy: "ppo.lambda=0.95",
      source: "PPO.md, defaults: gamma and lambda",
    },
  ];
}

/** The middle of published lambdas: 0.95. */
export const lambdaBand = { low: 0.9, high: 0.97 };

function samplingBands({ ppo }: BandFacts): Band[] {
  const { temperature, topK, topP, entropyCoef, responsesPerPrompt, groups } = ppo;
  return [
    {
      setting: "ppo.temperature",
      says: "the sampling temperature",
      value: temperature,
      ...{ low: 0.7, high: 1.2, grave: 1.3 },
      below: {
        cause: "temperature_low",
        finding: "sampling/temperature",
        why: "responses to one prompt are alike, and PPO learns from their differences",
      },
      above: {
        cause: "temperature_high",
        finding: "sampling/temperature",
        why: "most of what is sampled, and learned from, is what the policy would hardly say",
      },
      remedy: "ppo.temperature=1",
      source: `${defaults}: 1.0; 0.8 if entropy collapses`,
    },
    {
      setting: "ppo.topP",
      says: "the share of the distribution that is sampled (top p, or top k)",
      value: topK > 0 ? Math.min(topP, 0.9) : topP,
      ...{ low: 1, grave: 1.1 },
      below: {
        cause: "sampling_truncated",
        finding: "sampling/truncated",
        why: "the sampled KL is then wrong, even negative: log-probabilities belong to a different distribution",
      },
      remedy: "ppo.topK=0 ppo.topP=1",
      source: "PPO.md row 1",
    },
    {
      setting: "ppo.entropyCoef",
      says: "the entropy bonus",
      value: entropyCoef,
      ...{ high: 0.02, grave: 4 },
      above: {
        cause: "entropy_bonus_strong",
        finding: "sampling/entropy_bonus",
        why: "the policy is paid for saying anything: entropy rises, answers dissolve",
      },
      remedy: "ppo.entropyCoef=0.01",
      source: `${defaults}: 0.01; 0.02 if it collapses`,
    },
    {
      setting: "ppo.responsesPerPrompt",
      says: "responses to each prompt that are compared with each other",
      value: groups ? responsesPerPrompt : null,
      ...{ low: 2, grave: 2 },
      below: {
        cause: "responses_few",
        finding: "sampling/responses",
        why: "there is nothing to compare a response with",
      },
      remedy: "ppo.responsesPerPrompt=4",
      source: "Ahmadian et al. 2024: 2 and 4; Shao et al. 2024: 64",
    },
  ];
}

function rewardBands({ ppo }: BandFacts): Band[] {
  const { klCoef, scoreClip, missingEosPenalty } = ppo;
  return [
    {
      setting: "ppo.kl.coef",
      says: "the KL coefficient",
      value: klCoef,
      ...{ low: 0.05, high: 0.3, grave: 5 },
      below: {
        cause: "kl_coef_low",
        ...(klCoef === 0
          ? {
              finding: "kl/no_reference" as const,
              why: "nothing holds the policy to its reference: it drifts to whatever the reward likes, language and all, and a reward's gaps are found sooner",
            }
          : {
              finding: "kl/starts_low" as const,
              why: "what the policy has drifted away from in its first iterations is rarely recovered; a coefficient that is too high only costs time",
            }),
      },
      above: {
        cause: "kl_coef_high",
        finding: "kl/starts_high",
        severity: "note",
        why: "the penalty outweighs the score: the policy stays where it is",
      },
      remedy: klCoef === 0 ? "ppo.kl.coef=0.05" : "ppo.kl.coef=0.1, lowered once the curves are calm",
      source: `${defaults}: 0.05 to 0.2, better too high at first; Ziegler et al. 2019; docs/evidence.md: what 0, 0.2 and 1 cost small models`,
    },
    {
      setting: "ppo.scoreClip",
      says: "the score's clip",
      value: scoreClip,
      ...{ low: 3, grave: 3 },
      below: {
        cause: "score_clip_tight",
        finding: "reward/score_clip",
        severity: "note",
        why: "good and very good answers then have one score; a normalised score has a standard deviation of 1",
      },
      remedy: "ppo.scoreClip=10",
      source: "PPO.md, defaults: 10, which clips no normal score",
    },
    {
      setting: "ppo.missingEosPenalty",
      says: "the penalty for a missing end",
      value: missingEosPenalty,
      ...{ high: 5, grave: 3 },
      above: {
        cause: "eos_penalty_strong",
        finding: "reward/eos_penalty",
        severity: "note",
        why: "ending is then worth more than answering: responses become short",
      },
      remedy: "ppo.missingEosPenalty=1",
      source: "Huang et al. 2024: 1 with a normalised score; a chosen bound",
    },
  ];
}
