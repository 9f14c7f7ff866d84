/** The six parts of health and their signals, with the values that count as 100 and 0. docs/health.md has this table. */
import type { Statistic } from "../rules/rule.ts";

/** Iterations for which an occasional measurement counts: twice the default distance between two. */
const held = 20;

/** Parts by key; the metric is `health/<part>`. */
export const parts = {
  update_size: "update size",
  exploration: "exploration",
  gradient: "gradient",
  value_fit: "value fit",
  reward_integrity: "reward integrity",
  behaviour: "behaviour",
} as const;

export type Part = keyof typeof parts;

/** What is read from a signal's history: the statistics of rules, and some that only health uses. */
export type Reading =
  | Extract<Statistic, "value" | "rise" | "ratio_to_first" | "ratio_to_median" | "ratio_to_max" | "changed">
  | "fall_from_max";

export interface Gauge {
  readonly part: Part;
  /** A key of docs/metrics.md; `*` stands for any name of a component or a check. */
  readonly signal: string;
  /** The signal's name in messages. */
  readonly says: string;
  readonly reading: Reading;
  /** Observations that the reading covers: the newest is included in a maximum, and compared with a median of those before it. */
  readonly over?: number;
  /** The value that scores 100, as do values beyond it. */
  readonly good: number;
  /** The value that scores 0, as do values beyond it; scores in between are interpolated, linearly or by logarithm. */
  readonly bad: number;
  readonly scale?: "log";
  /** Observations needed before the gauge counts. */
  readonly from?: number;
  /** For occasional measurements: the number of iterations for which the newest one counts; 0 for signals of every iteration. */
  readonly holds?: number;
  /** `reference_std`: `good` and `bad` are in standard deviations of the first iteration's scores. */
  readonly unit?: "reference_std";
}

export const gauges: readonly Gauge[] = [
  // Tiers 3, 2 and 1 of the KL rules are at 0.02, 0.05 and 0.15: 100, 55 and 0 here.
  {
    part: "update_size",
    signal: "kl/old_new_k3_token",
    says: "approx KL",
    reading: "value",
    good: 0.02,
    bad: 0.15,
    scale: "log",
  },
  { part: "update_size", signal: "clip/fraction", says: "clip fraction", reading: "value", good: 0.2, bad: 0.5 },
  {
    part: "update_size",
    signal: "ratio/first_max_deviation",
    says: "first ratio's distance from 1",
    reading: "value",
    good: 1e-4,
    bad: 1e-3,
    scale: "log",
  },
  {
    part: "update_size",
    signal: "kl/ref_to_target",
    says: "KL to the reference over its target",
    reading: "value",
    good: 1.2,
    bad: 4,
    scale: "log",
  },
  {
    part: "update_size",
    signal: "advantage/abs_mean",
    says: "mean absolute advantage over the first",
    reading: "ratio_to_first",
    good: 2,
    bad: 20,
    scale: "log",
  },

  // Healthy help-desk runs end between 0.38 and 0.52.
  {
    part: "exploration",
    signal: "entropy/ratio_to_first",
    says: "entropy over the first",
    reading: "value",
    good: 0.35,
    bad: 0.1,
  },
  {
    part: "exploration",
    signal: "entropy/mean",
    says: "entropy over the largest of 10",
    reading: "ratio_to_max",
    over: 10,
    good: 0.6,
    bad: 0.3,
  },
  {
    part: "exploration",
    signal: "response/distinct_2",
    says: "distinct bigrams over the first",
    reading: "ratio_to_first",
    good: 0.55,
    bad: 0.2,
  },
  {
    part: "exploration",
    signal: "response/distinct_prompts_share",
    says: "distinct prompts over the first",
    reading: "ratio_to_first",
    good: 0.7,
    bad: 0.1,
  },

  {
    part: "gradient",
    signal: "gradient/nonfinite_count",
    says: "gradients that are not finite",
    reading: "value",
    good: 0,
    bad: 1,
  },
  {
    part: "gradient",
    signal: "gradient/policy_norm",
    says: "policy's gradient norm over its median",
    reading: "ratio_to_median",
    over: 20,
    good: 3,
    bad: 30,
    scale: "log",
    from: 6,
  },
  {
    part: "gradient",
    signal: "gradient/critic_norm",
    says: "critic's gradient norm over its median",
    reading: "ratio_to_median",
    over: 20,
    good: 4,
    bad: 40,
    scale: "log",
    from: 6,
  },
  {
    part: "gradient",
    signal: "update/masked_share",
    says: "masked minibatches",
    reading: "value",
    good: 0,
    bad: 1,
  },

  // The critic's head starts at 0: it is judged only once it has had time to learn.
  {
    part: "value_fit",
    signal: "value/explained_variance",
    says: "explained variance",
    reading: "value",
    good: 0.3,
    bad: -0.2,
    from: 20,
  },
  {
    part: "value_fit",
    signal: "value/loss",
    says: "value loss over its median",
    reading: "ratio_to_median",
    over: 20,
    good: 3,
    bad: 30,
    scale: "log",
    from: 6,
  },
  {
    part: "value_fit",
    signal: "gradient/critic_norm",
    says: "critic's gradient norm over its median",
    reading: "ratio_to_median",
    over: 20,
    good: 0.1,
    bad: 0.001,
    scale: "log",
    from: 6,
  },

  {
    part: "reward_integrity",
    signal: "reward_model/probe_accuracy",
    says: "reward model's accuracy on held-out pairs over the first",
    reading: "ratio_to_first",
    good: 0.9,
    bad: 0.6,
    holds: held,
  },
  {
    part: "reward_integrity",
    signal: "reward/gold_correlation",
    says: "correlation of score and gold",
    reading: "value",
    good: 0.3,
    bad: -0.3,
    holds: held,
  },
  {
    part: "reward_integrity",
    signal: "monitor/gold",
    says: "fall of gold from its best of 5",
    reading: "fall_from_max",
    over: 5,
    good: 0.05,
    bad: 0.3,
    holds: held,
  },
  {
    part: "reward_integrity",
    signal: "monitor/check_fall",
    says: "fall of one gold check since the first",
    reading: "value",
    good: 0.25,
    bad: 0.5,
    holds: held,
  },
  // The final evaluation is over more prompts than the monitoring set, and only falls beyond its interval count: its scale begins at 0.
  {
    part: "reward_integrity",
    signal: "evaluation/fall/*",
    says: "fall of one gold check in the evaluation",
    reading: "value",
    good: 0,
    bad: 0.25,
  },
  {
    part: "reward_integrity",
    signal: "reward/score_mean",
    says: "fall of the score from its best of 10",
    reading: "fall_from_max",
    over: 10,
    good: 0.3,
    bad: 1,
    unit: "reference_std",
  },
  {
    part: "reward_integrity",
    signal: "reward/component/*_outside_training_share",
    says: "scores outside the reward model's training",
    reading: "value",
    good: 0.15,
    bad: 0.6,
  },
  {
    part: "reward_integrity",
    signal: "reference/fingerprint",
    says: "changes of the reference",
    reading: "changed",
    good: 0,
    bad: 1,
  },

  {
    part: "behaviour",
    signal: "response/truncated_share",
    says: "truncated responses",
    reading: "value",
    good: 0.3,
    bad: 0.9,
  },
  {
    part: "behaviour",
    signal: "response/length_mean",
    says: "length over the first",
    reading: "ratio_to_first",
    good: 1.5,
    bad: 4,
    scale: "log",
  },
  {
    part: "behaviour",
    signal: "response/length_mean",
    says: "length over the first",
    reading: "ratio_to_first",
    good: 0.4,
    bad: 0.1,
    scale: "log",
  },
  {
    part: "behaviour",
    signal: "response/repeated_4gram_share",
    says: "rise of repeated 4-grams",
    reading: "rise",
    good: 0.1,
    bad: 0.5,
  },
  {
    part: "behaviour",
    signal: "safety/share",
    says: "rise of unsafe responses",
    reading: "rise",
    good: 0.02,
    bad: 0.15,
  },
];
