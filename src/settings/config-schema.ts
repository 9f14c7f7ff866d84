/**
 * The configuration: one YAML file for a stage or a whole pipeline. Each section that is present is a stage that runs. Defaults taken from
 * published practice name their source in a comment; docs/config.md says more about every field.
 */
import { z } from "zod";
import { familyNames } from "../models/family.ts";
import { mostProcesses, mostSequences, mostThreads } from "../util/limits.ts";
import { algorithmNames } from "./algorithm-table.ts";
import { tinkerBackendNames } from "./tinker-backend-names.ts";

const text = z.string().min(1);
const positive = z.number().positive();
const count = z.int().positive();
/** A number of sequences held at once. */
const sequences = count.max(mostSequences);
/** The name of an environment variable: addresses and tokens are never in a file. */
const variable = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "the name of an environment variable, which holds the address or token itself");
const share = z.number().min(0).max(1);
const shareBelow1 = z.number().min(0).lt(1);
/** Names of reward components and safety categories appear in metric keys. */
const keyName = z.string().regex(/^[A-Za-z0-9._-]+$/, "letters, digits, dots, dashes and underscores only");

/** The source of rows with these fields. A stage without rows of its own uses those of the section `demo`. */
const rowsWith = (...names: string[]) =>
  z.strictObject({
    /** A file, several, or a pattern such as `data/*.parquet`: JSONL, JSON, CSV, Parquet or text, also as gzip. */
    path: z.union([text, z.array(text).min(1)]),
    /** The file's field names by Ballast's names, if they differ: `{prompt: question, completion: answer}`. */
    fields: z
      .record(z.string().regex(new RegExp(`^(${names.join("|")})$`), `one of ${names.join(", ")}`), text)
      .default({}),
    /** Use only the first rows; 0 means all. */
    limit: z.int().min(0).default(0),
    /** What to do with rows that cannot be used: stop and name all of them, or leave them out and name all of them. */
    badRows: z.enum(["error", "skip"]).default("error"),
  });
const demonstrations = rowsWith("prompt", "completion", "messages", "text");
const preferences = rowsWith("prompt", "chosen", "rejected").extend({
  /** The column whose values rank answers to one prompt, such as KTO's `label`: rows of one answer each become pairs. */
  pairsFrom: text.optional(),
});
const prompts = rowsWith("prompt", "messages", "reference", "kind");

export const modelSchema = z.strictObject({
  /** A Hugging Face folder to start from. Without it a model with the sizes below is made from scratch. */
  path: text.optional(),
  family: z.literal(familyNames).default(familyNames[0]),
  layers: count.default(4),
  width: count.default(128),
  heads: count.default(4),
  /** Heads of keys and values, each shared by as many heads of queries; by default `heads`. */
  kvHeads: count.optional(),
  /** Width of one head; by default `width / heads`. */
  headDim: count.optional(),
  /** Width between the two halves of an MLP; the default is the family's (docs/models.md). */
  innerWidth: count.optional(),
  /** Base of the rotary positions; the default is the family's (docs/models.md). */
  ropeTheta: positive.optional(),
  /** Longest sequence, in tokens. */
  context: count.default(128),
  tieEmbeddings: z.boolean().default(true),
});

const tokenizerSchema = z.strictObject({
  /** `word`, `byte` and `bpe` are built for a model from scratch; `file` reads a tokenizer.json. */
  kind: z.enum(["word", "byte", "bpe", "file"]).default("byte"),
  path: text.optional(),
  /** Largest vocabulary of `word`, whose rarer words become <unk>, and of `bpe`. */
  vocabularySize: count.default(8192),
  /** A Jinja chat template; by default the tokenizer's own, or the built-in one for a built-in tokenizer. */
  chatTemplate: text.optional(),
});

const demoSchema = z.strictObject({
  task: z.literal("helpdesk").default("helpdesk"),
  /** `overoptimise`: a reward model that cannot judge sums, so that the policy learns to game it. */
  variant: z.enum(["standard", "overoptimise"]).default("standard"),
});

const scheduleSchema = z.enum(["constant", "linear", "cosine", "step"]);
const longPromptsSchema = z.enum(["truncate", "skip", "error"]);
/** What to do with a row whose answer is empty: stop and name all such lines, or leave them out and report how many. */
const emptyAnswers = z.enum(["error", "skip"]).default("error");

/** Low-rank adapters (Hu et al. 2021) in place of training all weights, in every stage of the run: docs/models.md. */
export const loraSchema = z.strictObject({
  /** 16: published 4 to 64 (Hu et al. 2021). */
  rank: count.default(16),
  /** The product's factor is alpha / rank; 32 at any rank is Schulman et al. 2025's. */
  alpha: positive.default(32),
  /** A factor of alpha / sqrt(rank) instead (Kalajdzievski 2023). */
  rslora: z.boolean().default(false),
  /** Projections by the last parts of their names; by default all of the blocks' (Schulman et al. 2025, LoRA Without Regret). */
  targets: z.array(text).min(1).optional(),
});

/** The optimizer settings that the three stages share. */
const optimizerShape = {
  schedule: scheduleSchema.default("cosine"),
  /** Share of the steps (iterations in PPO) over which the rate rises from 0. */
  warmup: share.default(0.05),
  /** Used by the schedule `step`: the rate is multiplied by `stepFactor` after every `stepEvery` steps. */
  stepFactor: z.number().gt(0).max(1).default(0.9),
  stepEvery: count.default(500),
  /** Decay of Adam's moments: 0.9 and 0.999 are Kingma and Ba's values. */
  beta1: shareBelow1.default(0.9),
  beta2: shareBelow1.default(0.999),
  weightDecay: z.number().min(0).default(0),
  /** Gradients are clipped to this global norm: 1.0; published 0.5 to 2.0. null does not clip. */
  maxGradNorm: positive.nullable().default(1),
  /** What to do with a prompt that does not fit the context: drop tokens on its left, skip the row, or stop. */
  longPrompts: longPromptsSchema.default("truncate"),
  /** Sequences in one pass of the engine; 0 lets the stage choose. Changes speed and memory, never the result beyond rounding. */
  microBatch: z.int().min(0).default(0),
  /** Steps (iterations in PPO) between checkpoints; 0 saves only at the end and when interrupted. */
  checkpointEvery: z.int().min(0).default(50),
  /** Number of checkpoints to keep. */
  keep: count.default(2),
};

export const sftSchema = z.strictObject({
  data: demonstrations.optional(),
  evaluation: demonstrations.optional(),
  /** Share of the rows held out if `evaluation` is not given. */
  evaluationShare: shareBelow1.default(0.05),
  emptyAnswers,
  /** What a conversation trains: the last answer, or every assistant's message. */
  turns: z.enum(["last", "all"]).default("last"),
  /** `concat` puts plain texts one after another into sequences of the whole context; attention then reaches back over their borders. */
  packing: z.enum(["none", "concat"]).default("none"),
  steps: count.default(300),
  batchSize: sequences.default(64),
  learningRate: positive.default(3e-4),
  /** Adam's epsilon outside PPO. */
  epsilon: positive.default(1e-8),
  evaluateEvery: count.default(50),
  ...optimizerShape,
});

export const rewardModelSchema = z.strictObject({
  data: preferences.optional(),
  evaluation: preferences.optional(),
  evaluationShare: shareBelow1.default(0.1),
  emptyAnswers,
  /** A folder to start from; by default the SFT stage's result in a pipeline, else `model.path`. */
  from: text.optional(),
  steps: count.default(200),
  /** Pairs per step. */
  batchSize: sequences.default(64),
  learningRate: positive.default(1e-4),
  epsilon: positive.default(1e-8),
  /** Margin by which the chosen score must exceed the rejected one (docs/PPO.md row 18). */
  margin: z.number().min(0).default(0),
  evaluateEvery: count.default(50),
  /** Samples of the SFT model from which scores are normalised to mean 0 and variance 1; 0 leaves scores as they are. */
  normalisationSamples: z.int().min(0).max(mostSequences).default(512),
  ...optimizerShape,
});

const weight = z.number().default(1);
const name = keyName.optional();

/** One component of the reward. The score is the weighted sum; every component is recorded by name. */
const rewardComponentSchema = z.discriminatedUnion("kind", [
  /** The learned reward model's score. */
  z.strictObject({ kind: z.literal("model"), name, weight, path: text.optional() }),
  /** 1 if the response equals the reference answer, ignoring case and surrounding space. */
  z.strictObject({ kind: z.literal("exact"), name, weight }),
  /** 1 if the number after `marker` (else the last number) in the response equals that in the reference answer. */
  z.strictObject({
    kind: z.literal("last_number"),
    name,
    weight,
    marker: text.default("####"),
    requireMarker: z.boolean().default(false),
  }),
  /** 1 if the regular expression matches the response. */
  z.strictObject({
    kind: z.literal("pattern"),
    name,
    weight,
    pattern: text,
    flags: z.string().default(""),
  }),
  /** 1 within [min, max] tokens, falling linearly to 0 over `slack` tokens outside. */
  z.strictObject({
    kind: z.literal("length"),
    name,
    weight,
    min: z.int().min(0).default(0),
    max: count,
    slack: z.int().min(0).default(0),
  }),
  /** Minus the share of n-grams that repeat an earlier one. */
  z.strictObject({ kind: z.literal("repetition"), name, weight, n: count.default(4) }),
  /** Minus 1 if the response has a word from the safety filter (`ppo.safety`). */
  z.strictObject({ kind: z.literal("safety"), name, weight }),
  /** The learned score minus that of a baseline response to the same prompt, sampled from the reference policy. */
  z.strictObject({ kind: z.literal("comparison"), name, weight, path: text.optional() }),
  /** What a program that uses the library hands in with each batch: docs/library.md. */
  z.strictObject({ kind: z.literal("caller"), name, weight }),
  /** A user's own function: `export default async ({prompt, response, reference}) => number`. */
  z.strictObject({
    kind: z.literal("function"),
    name,
    weight,
    path: text,
    /** Normalise its scores to mean 0 and variance 1 on samples of the starting policy, once, unless they are verdicts of two values. */
    normalise: z.boolean().default(true),
    timeoutMs: count.default(5000),
    retries: z.int().min(0).default(2),
  }),
]);

/** A gold check: it judges answers and never trains. A response passes if its value is above the threshold. */
const goldSchema = z.discriminatedUnion("kind", [
  /** No check, although the rows would give one. */
  z.strictObject({ kind: z.literal("none") }),
  /** The response equals the row's reference answer; rows without one are not judged. */
  z.strictObject({ kind: z.literal("exact") }),
  /** The response's number equals the reference's; rows without one are not judged. */
  z.strictObject({
    kind: z.literal("last_number"),
    marker: text.default("####"),
    requireMarker: z.boolean().default(false),
  }),
  z.strictObject({ kind: z.literal("pattern"), pattern: text, flags: z.string().default("") }),
  /** A user's own function, as in `rewards`: 0.5 separates the verdicts 0 and 1. */
  z.strictObject({
    kind: z.literal("function"),
    path: text,
    threshold: z.number().default(0.5),
    timeoutMs: count.default(5000),
    retries: z.int().min(0).default(2),
  }),
  /** A second reward model: 0 is the mean score of its reference policy's samples. */
  z.strictObject({ kind: z.literal("model"), path: text, threshold: z.number().default(0) }),
  /** A service that answers with a score; it judges the monitoring set and the evaluation, not every rollout. */
  z.strictObject({
    kind: z.literal("judge"),
    /** The environment variable that holds the address. */
    urlEnv: variable,
    /** The environment variable that holds a token, sent as `Authorization: Bearer`. */
    tokenEnv: variable.optional(),
    threshold: z.number().default(0.5),
    timeoutMs: count.default(30_000),
    retries: z.int().min(0).max(10).default(3),
  }),
]);

/** What moves a KL coefficient (docs/PPO.md row 9): the KL to the reference, and the KL from the old policy to the new. */
const klController = {
  controller: z.enum(["fixed", "step", "exponential", "ziegler"]).default("fixed"),
  /** The KL that the controller steers towards. */
  target: positive.optional(),
  /** The target in the last iteration, reached along a straight line; published: from 0.2 to 0.05. */
  targetEnd: positive.optional(),
  /** Used by `step`: published settings; the four numbers below replace those of the preset. */
  preset: z.enum(["schulman2017", "guide", "rllib", "bounded"]).default("schulman2017"),
  /** Multiples of the target: the coefficient rises above `high` times the target and falls below `low` times it. */
  high: positive.optional(),
  low: positive.optional(),
  /** The factors by which the coefficient then rises and falls. */
  up: z.number().min(1).optional(),
  down: z.number().gt(0).max(1).optional(),
  /** Used by `exponential`. */
  alpha: positive.default(10),
  /** Used by `ziegler`, in sequences; by default a tenth of the run's. */
  horizon: positive.optional(),
  /** Bounds for a coefficient that moves; by default `coefficientBounds` in rl/klcontroller.ts. */
  min: positive.optional(),
  max: positive.optional(),
};

/** A target: training ends when it has held in the given number of consecutive measurements. */
const targetSchema = z.strictObject({
  /** A key of docs/metrics.md. */
  signal: text,
  above: z.number().optional(),
  below: z.number().optional(),
  for: count.default(1),
});

export const ppoSchema = z.strictObject({
  /** How the policy learns from its rollouts. `rloo` and `grpo` compare `responsesPerPrompt` responses to each prompt, and have no critic. */
  algorithm: z.enum(algorithmNames).default("ppo"),
  /** Folder of the policy to start from; by default the SFT stage's result in a pipeline, else `model.path`. */
  policy: text.optional(),
  /** Folder of the frozen reference; by default the starting policy. */
  reference: text.optional(),
  /** Folder that the critic's trunk starts from; by default the reward model if there is one, else the policy. */
  critic: text.optional(),
  /** `separate`: a full-depth transformer for the critic. `shared`: a scalar head on the policy's trunk. */
  criticKind: z.enum(["separate", "shared"]).default("separate"),
  prompts: prompts.optional(),
  rewards: z
    .array(rewardComponentSchema)
    .min(1)
    .default([{ kind: "model", weight: 1 }]),
  /** Samples of the starting policy on which the first iteration examines the reward, and normalises functions; 0 does neither. */
  rewardSamples: z.int().min(0).max(mostSequences).default(64),
  /** What the answers are judged by without training on it; by default what the rows give (docs/config.md). */
  gold: goldSchema.optional(),
  /** Share of a file's prompts held out: half for the monitoring set, half for the evaluation, unless those have prompts of their own. */
  evaluationShare: shareBelow1.default(0.1),
  /** Resume even if a user's reward function has changed since. */
  allowChangedReward: z.boolean().default(false),
  iterations: count.default(100),
  /** Sequences sampled per iteration. */
  sequences: sequences.default(512),
  /** In place of `sequences`: the tokens of prompts and longest responses that one optimizer step may hold. */
  tokensPerStep: count.optional(),
  /** Responses sampled for each prompt; `sequences` is a multiple of it. */
  responsesPerPrompt: count.default(1),
  /** Minibatches per epoch: sequences per optimizer step = sequences / minibatches. */
  minibatches: count.default(1),
  /** Passes over the rollout: 4; published 1 to 4. */
  epochs: count.default(4),
  maxNewTokens: count.default(64),
  /** Tokens that end a response, in addition to those of the model's files and of its chat template: their texts or ids. */
  stopTokens: z.array(z.union([z.string().min(1), z.int().min(0)])).default([]),
  /** Texts that end a response. The tokens keep them; the scored text ends before them. */
  stopStrings: z.array(z.string().min(1)).default([]),
  temperature: positive.default(1),
  topK: z.int().min(0).default(0),
  topP: z.number().gt(0).max(1).default(1),
  /** Truncated sampling makes the sampled KL wrong, even negative (docs/PPO.md row 1). */
  allowTruncatedSampling: z.boolean().default(false),
  /** Policy rate: 1e-6 above a billion parameters (published 1e-6 to 1e-5), more for small models. */
  learningRate: positive.default(1e-6),
  /** By default twice the policy's rate: published 1.5 to 2 times. */
  criticLearningRate: positive.optional(),
  /** Adam's epsilon in PPO (Huang et al., The N implementation details of RLHF with PPO). */
  epsilon: positive.default(1e-5),
  /** `clip`: the clipped loss. `penalty`: no clip, and a KL from the old policy to the new in the loss (docs/PPO.md row 9). */
  policyLoss: z.enum(["clip", "penalty"]).default("clip"),
  /** The controller of the penalty's coefficient; not the KL to the reference. */
  penalty: z
    .strictObject({
      /** 1 is where the controllers of Schulman et al. 2017 start; the result hardly depends on it. */
      beta: z.number().min(0).default(1),
      ...klController,
    })
    .prefault({}),
  /** `phases`: wide in the first quarter, then set by the KL and the reward's slope, and held in the last quarter. */
  clipSchedule: z.enum(["constant", "phases"]).default("constant"),
  /** The clip range of the first quarter: 0.2 to 0.3. */
  clipWide: z.number().gt(0).max(1).default(0.3),
  /** Factors on both learning rates by layer: embeddings a third to half of the head's, blocks in between. null: one rate. */
  layerRates: z
    .strictObject({ embeddings: positive.default(0.5), head: positive.default(1) })
    .nullable()
    .default(null),
  /**
   * GAE and returns use a slow average of the critic (docs/PPO.md row 20), with a decay of 0.995 to 0.999 per step. null: the critic
   * itself.
   */
  slowCritic: z
    .strictObject({ decay: shareBelow1.default(0.995) })
    .nullable()
    .default(null),
  clipLow: share.default(0.2),
  clipHigh: positive.default(0.2),
  /** Constant of the dual clip (Ye et al. 2019); null turns it off. */
  dualClip: z.number().gt(1).nullable().default(null),
  valueClip: positive.nullable().default(0.2),
  /** Weight of the value loss, only with a shared trunk, where it is 1 by default (docs/PPO.md row 10). */
  valueCoef: positive.optional(),
  /** 0.01; 0.02 if entropy collapses. */
  entropyCoef: z.number().min(0).default(0.01),
  gamma: share.default(1),
  lambda: share.default(0.95),
  /** GAE uses a lambda of 1 until the critic explains this share of the returns' variance, 0.2 say; null: `lambda` from the start. */
  lambdaFrom: share.nullable().default(null),
  /** Iterations at the beginning in which only the critic learns, with a lambda of 1 (Yuan et al. 2025, VC-PPO: value pretraining). */
  criticWarmup: z.int().min(0).default(0),
  aggregation: z.enum(["token-mean", "sequence-mean", "sequence-sum"]).default("token-mean"),
  whitenAdvantages: z.boolean().default(true),
  /** Divide rewards by their standard deviation, keeping their mean. */
  whitenRewards: z.boolean().default(false),
  /** Clips scores after normalisation; null does not clip. */
  scoreClip: positive.nullable().default(10),
  missingEosPenalty: z.number().min(0).default(0),
  /** End the update when a minibatch's approximate KL(old, new) exceeds this; null never does. 1.5 x 0.01 is Spinning Up's. */
  stopEpochsAtKl: positive.nullable().default(null),
  kl: z
    .strictObject({
      /** Where the KL is used, exactly one of two (docs/PPO.md row 2): k1 in the reward, or `estimator` in the loss. */
      in: z.enum(["reward", "loss"]).default("reward"),
      /** Estimator of the KL in the loss. k2's gradient is the KL's, k3's is biased (docs/PPO.md row 2). */
      estimator: z.enum(["k2", "k3"]).default("k2"),
      /** 0.05; published 0.05 to 0.2; too high is safer than too low at first. */
      coef: z.number().min(0).default(0.05),
      ...klController,
      /** Unit of the target; 6 nats per sequence is Ziegler et al.'s. */
      targetUnit: z.enum(["token", "sequence"]).default("token"),
    })
    .prefault({}),
  safety: z
    .strictObject({
      /** Word lists by category, matched as whole words ignoring case; added to the built-in ones unless `builtIn` is false. */
      categories: z
        .record(keyName, z.array(z.string().regex(/[\p{L}\p{N}]/u, "a word or phrase with a letter or digit")).min(1))
        .default({}),
      builtIn: z.boolean().default(true),
    })
    .prefault({}),
  /** Samples stored per iteration, in addition to the worst. */
  storedSamples: z.int().min(0).default(16),
  /** Training ends as done as soon as any of these targets is met: the model is saved and evaluated. */
  stop: z.strictObject({ when: z.array(targetSchema).default([]) }).prefault({}),
  ...optimizerShape,
  schedule: scheduleSchema.default("constant"),
  /** Checkpoints to keep; `best` keeps the newest, and the one with the best gold check on the monitoring set, else the best score. */
  keep: z.union([count, z.literal("best")]).default(2),
});

/** Iterations between runs of a measurement; 0 never runs it. */
const every = (iterations: number) => z.int().min(0).default(iterations);

/** A webhook to notify: docs/incidents.md. */
const notifySchema = z.strictObject({
  /** `json`: the record itself. `slack`: text, for Slack and services that accept its incoming webhooks. */
  kind: z.enum(["json", "slack"]).default("json"),
  /** The environment variable that holds the address. */
  urlEnv: variable,
  /** The environment variable that holds a token, sent as `Authorization: Bearer`. */
  tokenEnv: variable.optional(),
  /** 1: incidents and what else stops a run; 2: interventions and their outcomes; 3: alerts that are only recorded. */
  tiers: z.array(z.int().min(1).max(3)).default([1]),
  /** Whether to send prompts and responses too. */
  samples: z.boolean().default(false),
  /** Timeout of one attempt, in milliseconds. */
  timeoutMs: count.default(5000),
  /** Further attempts after pauses of 1 s, 2 s, 4 s and so on. */
  retries: z.int().min(0).max(10).default(3),
});

/** The stability controller: docs/control.md. */
export const controlSchema = z.strictObject({
  /** `fixed`: constant hyperparameters; only tier 1 and recording. `adaptive`: every rule, schedules and estimators too. */
  profile: z.enum(["fixed", "adaptive"]).default("fixed"),
  /** `off` records every alert and acts on none, not even those of tier 1. With the same seed, both curves can be compared. */
  interventions: z.enum(["on", "off"]).default("on"),
  /** A YAML file of rules in addition to the shipped ones; a rule with a shipped rule's id replaces it. */
  rules: text.optional(),
  /** Ids of rules that are not used. */
  disable: z.array(z.string()).default([]),
  /** `absolute`: nats, for large vocabularies. `relative`: compared with iteration 0. */
  entropy: z.strictObject({ scale: z.enum(["absolute", "relative"]).default("relative") }).prefault({}),
  /** `absolute`: shares. `relative`: rise over iteration 0, for a policy that starts unsafe on purpose. */
  safety: z.strictObject({ scale: z.enum(["absolute", "relative"]).default("absolute") }).prefault({}),
  /** Bounds within which interventions keep the KL coefficient. */
  klCoef: z.strictObject({ min: z.number().min(0).default(0.001), max: positive.default(1) }).prefault({}),
  /** Similarity of consecutive policies on fixed prompts and seeds; the reward model's accuracy on fixed held-out pairs. */
  probes: z
    .strictObject({
      every: every(10),
      prompts: count.default(16),
      pairs: count.default(64),
      /** JSONL of responses with human ratings, to measure how well the reward agrees with them. */
      ratings: text.optional(),
    })
    .prefault({}),
  /** Gradient noise measured from the micro-batches of one step (docs/PPO.md row 17). */
  noise: z.strictObject({ every: every(10), microBatches: z.int().min(2).default(8) }).prefault({}),
  /** The gold check on a monitoring set that is neither trained on nor in the final report. */
  monitor: z
    .strictObject({ every: every(10), samples: sequences.default(128), prompts: prompts.optional() })
    .prefault({}),
  /** Scores and gold checks on perturbed prompts, compared with the clean ones. */
  robustness: z.strictObject({ every: every(50), prompts: count.default(16) }).prefault({}),
  /** Webhooks. */
  notify: z.array(notifySchema).default([]),
  /** How often a report of the run is sent to `notify`: `7d`, `12h`. */
  report: z
    .strictObject({
      every: z
        .string()
        .regex(/^[1-9]\d{0,5}[mhdw]$/, "a duration such as 7d, 12h or 30m")
        .optional(),
    })
    .prefault({}),
});

/** An experiment's place in a series of experiments: docs/doctor.md. */
const experimentSchema = z.strictObject({
  /** 1: is the behaviour controllable at all; 2: the reward in detail; 3: wider data; 4: harder evaluation. */
  stage: z.int().min(1).max(4),
  /** The experiment that this one continues: a run's id, its folder, or a configuration. */
  previous: text.optional(),
});

const doctorSchema = z.strictObject({
  /** Why a finding is intended, by the finding's id. */
  explain: z.record(z.string(), text).default({}),
  /** What the reward judges, if the doctor would guess wrong: a turn, fine steps, or only a late result. */
  grain: z.enum(["turn", "steps", "late"]).optional(),
});

const evaluationSchema = z.strictObject({
  /** Samples drawn at the rollout's temperature. */
  samples: sequences.default(1024),
  maxNewTokens: count.optional(),
  temperature: z.number().min(0).optional(),
  seed: z.int().min(0).default(1234),
  prompts: prompts.optional(),
});

/** Each has a row in the table of engine/open-engine.ts, which does not compile without it. */
export const engineKindNames = ["embedded", "torch", "tinker"] as const;
export type EngineKind = (typeof engineKindNames)[number];

/** Settings of an engine's section that only PyTorch reads. */
export const torchSettings = [
  "python",
  "device",
  "dtype",
  "offload",
  "deadline",
  "processes",
  "reshard",
  "nodes",
  "rendezvous",
  "launch",
] as const;

/** Settings of an engine's section that only a server of Tinker's protocol reads. */
export const tinkerSettings = ["url", "model", "backend", "keyEnv"] as const;

const engineChoice = z.strictObject({
  kind: z.enum(engineKindNames).default("embedded"),
  /** Only of `torch`: the Python program; by default that of `ballast engine setup torch`. */
  python: text.optional(),
  /** Only of `torch`: a device by PyTorch's name; by default the first CUDA device if there is one, else the CPU. */
  device: text.optional(),
  /** Only of `torch`: what passes compute in, by default fp32; weights, gradients and the optimizer's state are float32 in both. */
  dtype: z.enum(["fp32", "bf16"]).optional(),
  /** Only of `torch` on a device that is not the CPU: what is kept and stepped on the host (ZeRO-Offload, Ren et al. 2021); by default nothing. */
  offload: z.enum(["optimizer"]).optional(),
  /** Only of `torch`: seconds that one pass, step of generation, load or save may take, and other machines until they come; by default 3600 (engine/torch/worker-process.ts says why). */
  deadline: count.optional(),
  /** Only of `tinker`: the server's address, up to what comes before `/api/v1`. */
  url: z
    .string()
    .regex(
      /^https?:\/\/[^/@\s]+\/?([^@\s]*[^@\s])?$/,
      "an address such as http://127.0.0.1:8000, without a name or key in it",
    )
    .optional(),
  /** Only of `tinker`: the server's name of the base model, whose config.json and tokenizer are in `model.path`. */
  model: text.optional(),
  /** Only of `tinker`: what kind of server it is, which its protocol does not tell (docs/engines.md). */
  backend: z.enum(tinkerBackendNames).optional(),
  /** Only of `tinker`: the environment variable that holds the server's key. */
  keyEnv: variable.optional(),
  /** Only of `torch`: processes on each machine, over which weights, gradients and optimizer are sharded; by default 1. */
  processes: z.int().min(1).max(mostProcesses).optional(),
  /** Only of `torch` with several processes: when each frees the weights that it gathered, after each pass or at the next step (ZeRO-3 or ZeRO-2, Rajbhandari et al. 2020); by default pass. */
  reshard: z.enum(["pass", "step"]).optional(),
});

/** Where models are held and computed with. A role may have an engine of its own. */
const engineSchema = engineChoice.extend({
  /** Only of `torch`: machines; by default 1. `ballast engine join` starts the processes of the others. */
  nodes: z.int().min(1).max(mostProcesses).optional(),
  /** Only of `torch` on several machines: HOST:PORT of this one, where the processes meet. */
  rendezvous: text.optional(),
  /** Only of `torch`: who starts all processes but the first, by default Ballast; `ray`: Ray, on its cluster. */
  launch: z.enum(["ray"]).optional(),
  reference: engineChoice.optional(),
  critic: engineChoice.optional(),
  reward: engineChoice.optional(),
});

export const configSchema = z.strictObject({
  /** What this configuration adds to: a template's name or a file, read before everything else (docs/config.md). */
  extends: text.optional(),
  /** "When X, prefer Y over Z": heads every report. PPO does not start without it; the task of a section `demo` has its own. */
  objective: z.string().default(""),
  name: z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*$/, "letters, digits, dots, dashes and underscores only, no dot or dash first")
    .optional(),
  /** Folder of the runs and their database, relative to the current directory. */
  workspace: text.default("runs"),
  seed: z.int().min(0).default(1),
  /** Threads of the engine; 0 uses the physical cores. A run repeats bit for bit only with the same number. */
  threads: z.int().min(0).max(mostThreads).default(0),
  /** Whether each backward pass computes the activations inside blocks again (Chen et al. 2016) instead of keeping them. */
  recompute: z.boolean().default(false),
  engine: engineSchema.prefault({}),
  model: modelSchema.prefault({}),
  tokenizer: tokenizerSchema.prefault({}),
  demo: demoSchema.optional(),
  /** Faults to inject into PPO, as `lr-spike@40`: docs/faults.md. */
  faults: z.array(z.string()).default([]),
  lora: loraSchema.optional(),
  sft: sftSchema.optional(),
  reward: rewardModelSchema.optional(),
  ppo: ppoSchema.optional(),
  control: controlSchema.prefault({}),
  experiment: experimentSchema.optional(),
  doctor: doctorSchema.prefault({}),
  evaluation: evaluationSchema.prefault({}),
});

export type Config = z.infer<typeof configSchema>;
/** A configuration as a user writes it, without its defaults. */
export type ConfigInput = z.input<typeof configSchema>;
export type DataConfig = z.infer<typeof prompts> & Pick<z.infer<typeof preferences>, "pairsFrom">;
export type ModelSection = z.infer<typeof modelSchema>;
export type SftConfig = z.infer<typeof sftSchema>;
export type RewardModelConfig = z.infer<typeof rewardModelSchema>;
export type PpoConfig = z.infer<typeof ppoSchema>;
export type GoldConfig = z.infer<typeof goldSchema>;
export type RewardComponentConfig = z.infer<typeof rewardComponentSchema>;
export type NotifyConfig = z.infer<typeof notifySchema>;
export type ControlConfig = z.infer<typeof controlSchema>;
