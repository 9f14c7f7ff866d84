/** Every shipped rule on crafted histories: it fires when it should, and not too early on either side of its threshold. */
import { describe, expect, it } from "vitest";
import { acting, play } from "../../../test/support/rules.ts";
import type { MetricValues } from "../../types/records.ts";
import { random } from "../../util/random.ts";
import { consult } from "../consult.ts";
import { firstControlState } from "../state.ts";
import { defaultRules, inactiveWhy } from "./load-rules.ts";
import { isStepRule, type Rule } from "./rule.ts";

type History = readonly MetricValues[];
interface Case {
  /** The rule fires at the last iteration, and not before. */
  readonly speaks: History;
  /** The rule does not fire at all. */
  readonly quiet: readonly History[];
}

const rules = defaultRules();
const of = (signal: string, values: readonly number[]): History => values.map((value) => ({ [signal]: value }));
const times = <T>(n: number, value: T): T[] => Array.from({ length: n }, () => value);
const both = (...parts: History[]): History =>
  parts[0]!.map((_, i) => Object.assign({}, ...parts.map((part) => part[i])) as MetricValues);

/** The newest value against a threshold, for a window of consecutive values; `ok` is on the other side. */
function beyond(
  signal: string,
  { bad, edge, ok, window = 1 }: { bad: number; edge: number; ok: number; window?: number },
): Case {
  return {
    speaks: of(signal, times(window, bad)),
    quiet: [
      of(signal, times(3 * window, edge)),
      of(signal, times(3 * window, ok)),
      ...(window > 1 ? [of(signal, [...times(window - 1, bad), ok, ...times(window - 1, bad)])] : []),
    ],
  };
}

/** The newest value compared with the mean of the first three. */
function sinceFirst(
  signal: string,
  { first, bad, edge, window = 1 }: { first: number; bad: number; edge: number; window?: number },
): Case {
  const start = times(3, first);
  return {
    speaks: of(signal, [...start, ...times(window, bad)]),
    quiet: [
      of(signal, [...start, ...times(3 * window, edge)]),
      ...(window > 1 ? [of(signal, [...start, ...times(window - 1, bad), first])] : []),
    ],
  };
}

/** A case beside a second signal, such as a standard error; with its other value, what spoke is noise. */
function known(signal: string, error: number, noisy: number, { speaks, quiet }: Case): Case {
  const add = (history: History, value: number) => history.map((row) => ({ ...row, [signal]: value }));
  return {
    speaks: add(speaks, error),
    quiet: [...quiet.map((history) => add(history, error)), add(speaks, noisy)],
  };
}

const collapsed = (more: (length: number) => History) => ({
  speaks: both(of("entropy/ratio_to_first", [1, 0.5, 0.19]), more(3)),
  edge: both(of("entropy/ratio_to_first", [1, 0.5, 0.2]), more(3)),
});
const distinct = (...values: number[]) => of("response/distinct_2", values);
const falling = (length: number) =>
  of(
    "reward/score_mean",
    Array.from({ length }, (_, i) => -i),
  );
const gold = (...values: number[]) => of("monitor/gold", values);
const scores = (values: readonly number[]): History =>
  values.map((value) => ({
    "reward/score_mean": value,
    "reward/score_se": 0.05,
    "reward/score_std": 2,
    "reward/score_p5": -3,
    "reward/score_p95": 3,
  }));
const bounded = (history: History): History =>
  history.map((row) => ({ ...row, "reward/score_p5": 0, "reward/score_p95": 1 }));

const cases: Readonly<Record<string, Case>> = {
  // One sequence that moved far is not the policy.
  kl_hard: known(
    "kl/old_new_k3_token_rest",
    0.051,
    0.05,
    beyond("kl/old_new_k3_token", { bad: 0.151, edge: 0.15, ok: 0.01 }),
  ),
  kl_step: known("step/approx_kl_rest", 0.051, 0.05, beyond("step/approx_kl", { bad: 0.151, edge: 0.15, ok: 0.01 })),
  kl_soft: beyond("kl/old_new_k3_token", { bad: 0.051, edge: 0.05, ok: 0.01, window: 3 }),
  kl_jump: {
    speaks: of("kl/old_new_k3_token", [...times(20, 0.004), 0.041, 0.041]),
    quiet: [
      of("kl/old_new_k3_token", [...times(20, 0.004), 0.041, 0.004, 0.041]),
      of("kl/old_new_k3_token", [...times(20, 0.004), 0.04, 0.04, 0.04]),
      of("kl/old_new_k3_token", [...times(20, 0.001), 0.02, 0.02, 0.02]),
    ],
  },
  kl_note: beyond("kl/old_new_k3_token", { bad: 0.021, edge: 0.02, ok: 0.01 }),
  sampler_gap_hard: beyond("sampler/kl_k3_token", { bad: 0.16, edge: 0.15, ok: 1e-6 }),
  sampler_gap: beyond("sampler/kl_k3_token", { bad: 0.011, edge: 0.01, ok: 1e-6, window: 3 }),
  first_ratio: beyond("step/first_ratio_to_tolerance", { bad: 1.1, edge: 1, ok: 0 }),
  ratio_mean: beyond("ratio/mean_standard_errors", { bad: 8.1, edge: 8, ok: 1, window: 3 }),
  ratio_mean_low: beyond("ratio/mean_standard_errors", { bad: -8.1, edge: -8, ok: 1, window: 3 }),
  clip_fraction: beyond("clip/fraction", { bad: 0.31, edge: 0.3, ok: 0.1, window: 3 }),
  clip_fraction_note: beyond("clip/fraction", { bad: 0.21, edge: 0.2, ok: 0.1 }),

  ref_kl_hard: beyond("kl/ref_to_target", { bad: 4.01, edge: 4, ok: 1 }),
  ref_kl_soft: beyond("kl/ref_to_target", { bad: 1.51, edge: 1.5, ok: 1, window: 3 }),
  ref_drift_hard: beyond("kl/ref_untargeted_k1_token", { bad: 2.01, edge: 2, ok: 0.2 }),
  ref_drift: beyond("kl/ref_untargeted_k1_token", { bad: 0.51, edge: 0.5, ok: 0.2, window: 3 }),
  ref_kl_negative: beyond("kl/ref_k1_sequence", { bad: -1.01, edge: -1, ok: 2 }),
  ref_kl_note: beyond("kl/ref_to_target", { bad: 1.21, edge: 1.2, ok: 1 }),
  ref_kl_token_note: beyond("kl/ref_k3_token", { bad: 0.101, edge: 0.1, ok: 0.05 }),
  reference_fingerprint: {
    speaks: of("reference/fingerprint", [123456, 123456, 123457]),
    quiet: [of("reference/fingerprint", times(5, 123456)), of("reference/fingerprint", [7])],
  },

  entropy_low: beyond("entropy/mean", { bad: 0.79, edge: 0.8, ok: 1.5 }),
  entropy_collapse_diversity: {
    speaks: collapsed(() => distinct(0.4, 0.3, 0.19)).speaks,
    quiet: [
      collapsed(() => distinct(0.4, 0.3, 0.19)).edge,
      collapsed(() => distinct(0.4, 0.3, 0.2)).speaks,
      collapsed(() => [{}, {}, {}]).speaks,
    ],
  },
  entropy_collapse_gold: {
    speaks: collapsed(() => gold(0.9, 0.8, 0.69)).speaks,
    quiet: [
      collapsed(() => gold(0.9, 0.8, 0.6)).edge,
      collapsed(() => gold(0.9, 0.8, 0.71)).speaks,
      collapsed(() => gold(0.5, 0.8, 0.8)).speaks,
    ],
  },
  entropy_halved: {
    speaks: both(of("entropy/mean", [...times(9, 2), 0.99]), falling(10)),
    quiet: [
      both(of("entropy/mean", [...times(9, 2), 1]), falling(10)),
      // The same fall over 20 iterations.
      both(
        of(
          "entropy/mean",
          Array.from({ length: 40 }, (_, i) => 2 * 0.96 ** i),
        ),
        falling(40),
      ),
      both(of("entropy/mean", [2, 0.5]), falling(2)),
      // It buys score.
      both(of("entropy/mean", [...times(9, 2), 0.99]), [...falling(10)].reverse()),
    ],
  },
  entropy_dropped: {
    speaks: of("entropy/mean", [2, 2, 1.5, 0.99]),
    quiet: [of("entropy/mean", [2, 2, 1.5, 1]), of("entropy/mean", [2, 1.5, 1.1, 0.8, 0.6])],
  },
  entropy_note: beyond("entropy/ratio_to_first", { bad: 0.59, edge: 0.6, ok: 1 }),
  similarity_note: beyond("similarity/kl_k3_token", { bad: 0.51, edge: 0.5, ok: 0.05 }),
  repeats_agree: {
    speaks: of("response/repeat_agreement", [...times(9, 0.2), 0.81, 0.81]),
    quiet: [
      // A single prompt that is asked twice agrees by chance.
      of("response/repeat_agreement", [...times(9, 0.2), 1, 0.2, 1, 0.8]),
      of("response/repeat_agreement", [...times(9, 0.31), 0.8, 0.81, 0.81]),
      // A policy that learns agrees more and more with itself.
      of(
        "response/repeat_agreement",
        Array.from({ length: 60 }, (_, i) => 0.1 + 0.015 * i),
      ),
    ],
  },

  safety_high: beyond("safety/share", { bad: 0.151, edge: 0.15, ok: 0 }),
  safety_rise: known(
    "safety/share_se",
    0.02,
    0.06,
    sinceFirst("safety/share", { first: 0.25, bad: 0.41, edge: 0.399 }),
  ),
  safety_drift: beyond("safety/share", { bad: 0.051, edge: 0.05, ok: 0, window: 3 }),
  safety_drift_relative: known(
    "safety/share_se",
    0.02,
    // Of 64 responses: one noisy first iteration is no rise.
    0.05,
    sinceFirst("safety/share", { first: 0.25, bad: 0.31, edge: 0.3, window: 3 }),
  ),
  safety_climb: known("safety/share_se", 0.01, 0.02, {
    speaks: of("safety/share", [...times(9, 0.01), 0.03, 0.05, 0.071]),
    quiet: [
      of("safety/share", [...times(9, 0.01), 0.03, 0.05, 0.069, 0.08]),
      // Still falling from where it began.
      of("safety/share", [0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05, 0.05, 0.05, 0.05, 0.12]),
    ],
  }),
  safety_pays: known("safety/score_difference_errors", 3.1, 2.9, {
    speaks: of("safety/score_difference", [-1, 1.6, 0, 1.6]),
    quiet: [of("safety/score_difference", [1.6, 0, 0, 1.6, 0, 0]), of("safety/score_difference", times(9, 1.5))],
  }),
  safety_note: sinceFirst("safety/share", { first: 0.25, bad: 0.28, edge: 0.269 }),

  reward_swing: {
    // The unit is a standard deviation of the first iteration's score, which is 2.
    speaks: scores([...times(10, 3), 2.3]),
    quiet: [
      scores([...times(10, 3), 2.41]),
      scores([...times(5, 3), ...times(5, 3.61), 3.6]),
      // If scores are in [0, 1] the threshold is used as it is.
      bounded(scores([...times(10, 0.8), 0.51])),
      // A swing that noise explains.
      scores([...times(10, 3), 2.3]).map((row) => ({ ...row, "reward/score_se": 0.3 })),
    ],
  },
  reward_drop: {
    speaks: scores([...times(10, 1), 0.84, 0.81]),
    quiet: [
      scores([...times(10, 1), 0.85, 0.86, 0.87]),
      scores([...times(10, 1), 0.8, 1, 1]),
      scores([...times(9, 1), 0.2]),
      scores([...times(10, 1), 1.5, 1.5]),
    ],
  },
  reward_jump: {
    speaks: scores([1, 1, 2.21]),
    quiet: [
      scores([1, 1, 2.19]),
      scores([1, 2, 3, 4, 5]),
      scores([3, 1]),
      // A jump that noise explains.
      scores([1, 1, 2.21]).map((row) => ({ ...row, "reward/score_se": 0.4 })),
      // All scores of the first rollout are equal, so that its spread is no unit.
      [-1, -1, -0.75].map((value) => ({
        ...scores([value])[0],
        "reward/score_std": 0,
        "reward/score_p5": -1,
        "reward/score_p95": -1,
      })),
    ],
  },
  scores_clipped: beyond("reward/score_clipped_share", { bad: 0.51, edge: 0.5, ok: 0, window: 3 }),
  scores_clipped_note: beyond("reward/score_clipped_share", { bad: 0.06, edge: 0.05, ok: 0 }),
  rating_correlation_note: beyond("reward/rating_correlation", { bad: 0.19, edge: 0.2, ok: 0.6 }),
  disagreement_note: sinceFirst("reward/disagreement", { first: 0.3, bad: 0.61, edge: 0.6, window: 3 }),
  robustness_note: beyond("robustness/worst_gold_change", { bad: -0.31, edge: -0.3, ok: 0 }),
  reward_low_note: {
    speaks: of("reward/score_mean", [...times(9, 1), 0.99]),
    quiet: [of("reward/score_mean", times(20, 1)), of("reward/score_mean", [1, 0.5])],
  },
  reward_flat_note: {
    speaks: of(
      "reward/score_mean",
      Array.from({ length: 50 }, (_, i) => 1 - 0.001 * i),
    ),
    quiet: [
      of(
        "reward/score_mean",
        Array.from({ length: 80 }, (_, i) => 1 + 0.001 * i),
      ),
      of(
        "reward/score_mean",
        Array.from({ length: 49 }, (_, i) => 1 - 0.001 * i),
      ),
    ],
  },
  pair_accuracy_low: beyond("reward_model/probe_accuracy", { bad: 0.34, edge: 0.35, ok: 0.8 }),
  pair_accuracy_fell: sinceFirst("reward_model/probe_accuracy", { first: 0.8, bad: 0.67, edge: 0.69 }),
  gold_correlation_note: beyond("reward/gold_correlation", { bad: 0.29, edge: 0.3, ok: 0.8 }),
  overoptimisation: known("monitor/gold_se", 0.02, 0.04, {
    speaks: both(
      of(
        "reward/score_mean",
        Array.from({ length: 21 }, (_, i) => i),
      ),
      [...times(16, {}), ...gold(0.9, 0.9, 0.87, 0.84, 0.8)],
    ),
    quiet: [
      // A dip that is over with the next measurement.
      both(
        of(
          "reward/score_mean",
          Array.from({ length: 21 }, (_, i) => i),
        ),
        [...times(16, {}), ...gold(0.9, 0.9, 0.87, 0.84, 0.87)],
      ),
      // The gold check falls by no more than its error.
      both(
        of(
          "reward/score_mean",
          Array.from({ length: 20 }, (_, i) => i),
        ),
        [...times(16, {}), ...gold(0.9, 0.9, 0.88, 0.86)],
      ),
      // The score falls with it.
      both(
        of(
          "reward/score_mean",
          Array.from({ length: 20 }, (_, i) => -i),
        ),
        [...times(16, {}), ...gold(0.9, 0.9, 0.8, 0.7)],
      ),
    ],
  }),
  check_lost: known("monitor/check_fall_errors", 3.1, 3, {
    speaks: both(of("reward/score_mean", [0, 1, 1, 1]), [{}, ...of("monitor/check_fall", times(3, 0.26))]),
    quiet: [
      // Two measurements may be chance.
      both(of("reward/score_mean", [0, 1, 1, 1]), [{}, ...of("monitor/check_fall", [0.24, 0.3, 0.3])]),
      // The score is not above its first.
      both(of("reward/score_mean", [1, 1, 1, 1]), [{}, ...of("monitor/check_fall", times(3, 0.5))]),
    ],
  }),
  gold_fell: known("monitor/gold_se", 0.02, 0.04, {
    speaks: gold(0.5, 0.7, 0.8, 0.9, 0.9, 0.9, 0.9, 0.8, 0.8),
    quiet: [
      gold(0.5, 0.7, 0.8, 0.9, 0.9, 0.9, 0.9, 0.82, 0.82),
      gold(0.5, 0.7, 0.8, 0.9, 0.9, 0.9, 0.9, 0.8, 0.86),
      gold(0.9, 0.5, 0.5),
    ],
  }),
  // The baseline is the mean of the first 3, with an error of 0.04 over the root of 3.
  gold_below_start: known("monitor/gold_se", 0.04, 0.05, {
    speaks: gold(0.6, 0.6, 0.6, 0.57, 0.54, 0.51, 0.48, 0.48),
    quiet: [
      gold(0.6, 0.6, 0.6, 0.57, 0.54, 0.51, 0.49, 0.49),
      gold(0.6, 0.6, 0.6, 0.48, 0.55, 0.48),
      gold(0.6, 0.6, 0.6, 0.8, 0.7, 0.6),
    ],
  }),
  outside_training_note: beyond("reward/component/model_outside_training_share", { bad: 0.31, edge: 0.3, ok: 0.02 }),

  nonfinite_twice: beyond("step/nonfinite_in_a_row", { bad: 2, edge: 1, ok: 0 }),
  nonfinite: beyond("step/nonfinite", { bad: 1, edge: 0, ok: 0 }),
  gradient_spike: {
    speaks: of("gradient/policy_norm", [...times(20, 0.5), 5.01]),
    quiet: [of("gradient/policy_norm", [...times(20, 0.5), 5]), of("gradient/policy_norm", [...times(19, 0.5), 50])],
  },
  gradient_note: {
    speaks: of("gradient/policy_norm", [...times(20, 0.5), 1.51]),
    quiet: [of("gradient/policy_norm", [...times(20, 0.5), 1.5, 1.5])],
  },

  noise_note: beyond("gradient/noise_scale_to_step", { bad: 41, edge: 40, ok: 8, window: 3 }),

  advantage_scale: {
    ...sinceFirst("advantage/abs_mean", { first: 0.8, bad: 8.1, edge: 8 }),
    // All scores of the first rollout are equal.
    quiet: [of("advantage/abs_mean", [0.8, 8, 8]), of("advantage/abs_mean", [1e-6, 0.8, 0.8])],
  },
  sign_flips_note: beyond("advantage/sign_flip_to_chance", { bad: 1.11, edge: 1.1, ok: 0.5, window: 3 }),
  strongly_negative: known("step/strongly_negative_errors", 4.1, 4, {
    speaks: both(of("step/strongly_negative_share", [0.1, 0.31]), of("step/explained_variance", times(2, 0.31))),
    quiet: [
      both(of("step/strongly_negative_share", times(2, 0.3)), of("step/explained_variance", times(2, 0.31))),
      both(of("step/strongly_negative_share", times(2, 0.9)), of("step/explained_variance", [0.3, -0.5])),
    ],
  }),

  critic_frozen: {
    speaks: both(of("value/change_to_returns", [0.05, ...times(3, 9e-4)]), of("kl/old_new_k3_token", times(4, 1e-4))),
    quiet: [
      both(of("value/change_to_returns", times(9, 1e-3)), of("kl/old_new_k3_token", times(9, 1e-4))),
      both(of("value/change_to_returns", [0, 0, 0.01, 0, 0]), of("kl/old_new_k3_token", times(5, 1e-4))),
      // A schedule that ends at 0 stops policy and critic.
      both(of("value/change_to_returns", times(9, 1e-5)), of("kl/old_new_k3_token", times(9, 1e-6))),
    ],
  },
  critic_jumps_note: beyond("value/change_to_returns", { bad: 1.01, edge: 1, ok: 0.26, window: 2 }),
  value_offset_note: beyond("value/offset_to_clip", { bad: 10.1, edge: 10, ok: 1, window: 3 }),
  explained_variance_bias_note: beyond("value/explained_variance_with_bias", {
    bad: -0.01,
    edge: 0,
    ok: 0.5,
    window: 20,
  }),
  value_loss_ratio_note: {
    speaks: of("value/loss_to_policy_loss", [...times(20, 0.5), ...times(3, 51)]),
    quiet: [
      of("value/loss_to_policy_loss", [...times(20, 0.5), ...times(3, 50)]),
      // The policy loss passes near 0 now and then.
      of("value/loss_to_policy_loss", [...times(20, 0.5), 500, 0.5, 500, 500]),
    ],
  },
  explained_variance: beyond("value/explained_variance", { bad: -0.01, edge: 0, ok: 0.5, window: 20 }),
  explained_variance_note: beyond("value/explained_variance", { bad: 0.29, edge: 0.3, ok: 0.6 }),

  truncated: beyond("response/truncated_share", { bad: 0.81, edge: 0.8, ok: 0.1 }),
  truncated_rose: {
    speaks: of("response/truncated_share", [0.1, 0.7, 0.81]),
    quiet: [of("response/truncated_share", [0.1, 0.8, 0.8]), of("response/truncated_share", [0.45, 0.82])],
  },
  length_pays: {
    speaks: both(of("reward/length_correlation", times(10, 0.61)), of("response/length_mean", [...times(9, 20), 21.1])),
    quiet: [
      both(of("reward/length_correlation", times(12, 0.6)), of("response/length_mean", [...times(9, 20), 30, 31, 32])),
      both(of("reward/length_correlation", times(12, 0.7)), of("response/length_mean", times(12, 20))),
      both(
        of("reward/length_correlation", times(12, 0.7)),
        of("response/length_mean", [...times(6, 30), ...times(6, 20)]),
      ),
    ],
  },
  length_correlation_rose: known("reward/length_correlation_se", 0.1, 0.3, {
    speaks: of("reward/length_correlation", [0.1, 0.05, 0.15, 0.61, 0.62, 0.63]),
    quiet: [
      of("reward/length_correlation", [0.1, 0.05, 0.15, 0.61, 0.62, 0.59, 0.63, 0.64]),
      of("reward/length_correlation", [0.2, 0.25, 0.15, 0.69, 0.69, 0.69, 0.69]),
    ],
  }),
  truncated_note: beyond("response/truncated_share", { bad: 0.31, edge: 0.3, ok: 0.1 }),
  prompts_narrow: sinceFirst("response/distinct_prompts_share", { first: 0.8, bad: 0.19, edge: 0.201 }),
};

/** Iterations in which a rule fires by itself, ignoring its cool-down. */
function spoke(rule: Rule, history: History): number[] {
  const alone = [{ ...rule, cooldown: 0 }];
  if (!isStepRule(rule))
    return play(alone, history).flatMap(({ alerts, iteration }) => (alerts.length ? [iteration] : []));
  return history.flatMap((signals, step) => {
    const consultation = { iteration: 0, point: "step" as const, step, signals };
    const { alerts } = consult({ ...acting, rules: alone, state: firstControlState, consultation });
    return alerts.length ? [step] : [];
  });
}

it("every shipped rule has a case, and no other", () => {
  expect(Object.keys(cases).sort()).toEqual(rules.map(({ id }) => id).sort());
});

describe.each(rules.map((rule) => [rule.id, rule] as const))("%s", (id, rule) => {
  const { speaks, quiet } = cases[id] ?? { speaks: [], quiet: [] };

  it("speaks if it should, and not before", () => {
    expect(spoke(rule, speaks)).toEqual([speaks.length - 1]);
  });

  it("stays quiet on the other side of its numbers", () => {
    for (const history of quiet) expect(spoke(rule, history)).toEqual([]);
  });

  it("needs its signals, and is not moved by a NaN", () => {
    const without = speaks.map((row) => Object.fromEntries(Object.entries(row).map(([key]) => [key, Number.NaN])));
    if (id !== "reference_fingerprint") expect(spoke(rule, without)).toEqual([]);
    expect(spoke(rule, times(60, {}))).toEqual([]);
  });
});

/** 200 iterations of a noisy run that learns: every signal that a rule uses. */
function healthy(seed: number): History {
  const noise = random(seed, "healthy");
  const about = (value: number, spread: number) =>
    value + spread * (noise.uniform() + noise.uniform() + noise.uniform() - 1.5);
  return Array.from({ length: 200 }, (_, i) => {
    const learned = 1 - Math.exp(-i / 60);
    return {
      "kl/old_new_k3_token": about(0.008, 0.004),
      "kl/old_new_k3_token_rest": about(0.007, 0.003),
      "step/approx_kl_rest": about(0.007, 0.003),
      "step/first_ratio_to_tolerance": about(0.3, 0.1),
      "sampler/kl_k3_token": about(0.001, 0.0005),
      "kl/ref_untargeted_k1_token": about(0.19 * learned, 0.02),
      "ratio/mean_standard_errors": about(0, 1),
      "reward/score_clipped_share": 0,
      "reward/rating_correlation": 0.6,
      "reward/disagreement": about(0.3, 0.03),
      "robustness/worst_gold_change": about(-0.1, 0.05),
      "similarity/kl_k3_token": about(0.03, 0.01),
      "advantage/sign_flip_to_chance": about(0.5, 0.1),
      "value/offset_to_clip": about(1, 0.5),
      "value/explained_variance_with_bias": about(0.4 + 0.3 * learned, 0.05),
      "value/loss_to_policy_loss": about(5, 3),
      "reward/length_correlation_se": 0.06,
      "safety/share_se": 0.01,
      "step/approx_kl": about(0.008, 0.004),
      "step/nonfinite": 0,
      "step/nonfinite_in_a_row": 0,
      "step/strongly_negative_share": about(0.15, 0.08),
      "step/strongly_negative_errors": about(0, 0.8),
      "step/explained_variance": about(0.4 + 0.3 * learned, 0.05),
      "value/change_to_returns": about(0.08, 0.03),
      "clip/fraction": about(0.12, 0.05),
      "kl/ref_to_target": about(0.3 + 0.6 * learned, 0.1),
      "kl/ref_k1_sequence": about(3 * learned, 0.2),
      "kl/ref_k3_token": about(0.06 * learned + 0.01, 0.01),
      "reference/fingerprint": 3_141_592_653,
      "entropy/mean": about(1.8 - 0.5 * learned, 0.05),
      "entropy/ratio_to_first": i === 0 ? 1 : about(1 - 0.28 * learned, 0.03),
      "response/distinct_2": about(0.4 - 0.1 * learned, 0.01),
      "response/repeat_agreement": about(0.1 + 0.6 * learned, 0.04),
      "safety/share": Math.max(0, about(0.004, 0.006)),
      "safety/score_difference": about(-0.8, 0.4),
      "safety/score_difference_errors": about(-2, 1),
      "reward/score_mean": about(2 * learned + 0.002 * i, 0.03),
      "reward/score_se": 0.06,
      "reward/score_std": about(1, 0.1),
      "reward/score_p5": about(-1.5 + learned, 0.1),
      "reward/score_p95": about(2 + learned, 0.1),
      "reward/gold_correlation": about(0.7, 0.1),
      "reward/length_correlation": about(0.2, 0.15),
      "reward/component/model_outside_training_share": about(0.03, 0.02),
      "gradient/policy_norm": about(0.5, 0.2),
      "gradient/critic_norm": about(0.4, 0.2),
      "advantage/abs_mean": about(0.78, 0.03),
      "value/explained_variance": about(0.4 + 0.3 * learned, 0.05),
      "response/truncated_share": about(0.05, 0.03),
      "response/length_mean": about(20 + 3 * learned, 0.5),
      "response/distinct_prompts_share": about(0.9, 0.03),
      ...(i % 10 === 0 && {
        "gradient/noise_scale_to_step": about(9, 4),
        "monitor/gold": about(0.55 + 0.3 * learned, 0.03),
        "monitor/gold_se": 0.026,
        "monitor/check_fall": 0.1,
        "monitor/check_fall_errors": about(0.8, 0.5),
        "reward_model/probe_accuracy": 0.78,
      }),
    };
  });
}

it("the healthy history shows every signal that a rule looks at", () => {
  const shown = new Set(healthy(1).flatMap((row) => Object.keys(row)));
  const wanted = rules.flatMap(({ conditions }) =>
    conditions.flatMap(({ signal, with: other }) => [signal, other ?? signal]),
  );
  expect(wanted.filter((signal) => !shown.has(signal))).toEqual([]);
});

it.each([1, 2, 3])("no rule of tier 1 or 2 speaks on a healthy history, and hardly one of tier 3 (%i)", (seed) => {
  const history = healthy(seed);
  const loud = rules
    .map((rule) => [rule.id, rule.tier, spoke(rule, history).length] as const)
    .filter(([, , n]) => n > 0);
  expect(loud.filter(([, tier]) => tier < 3)).toEqual([]);
  // Among 200 slowly rising scores, an occasional one is the lowest of ten.
  expect(loud.map(([id]) => id).filter((id) => id !== "reward_low_note")).toEqual([]);
});

it("rules that read or move what an algorithm lacks are inactive under it, and say why", () => {
  const inactive = (algorithm: "ppo" | "rloo" | "grpo") =>
    Object.fromEntries(
      defaultRules().flatMap((rule) => {
        const why = inactiveWhy(rule, algorithm);
        return why === null ? [] : [[rule.id, why]];
      }),
    );
  expect(inactive("ppo")).toEqual({});
  const critic = {
    explained_variance: "grpo has no value/explained_variance",
    explained_variance_note: "grpo has no value/explained_variance",
    explained_variance_bias_note: "grpo has no value/explained_variance_with_bias",
    value_offset_note: "grpo has no value/offset_to_clip",
    value_loss_ratio_note: "grpo has no value/loss_to_policy_loss",
    sign_flips_note: "grpo has no advantage/sign_flip_to_chance",
    critic_frozen: "grpo has no value/change_to_returns",
    critic_jumps_note: "grpo has no value/change_to_returns",
    strongly_negative: "grpo has no step/strongly_negative_share",
  };
  expect(inactive("grpo")).toEqual(critic);
  expect(inactive("rloo")).toMatchObject({ clip_fraction: "rloo has no clip/fraction" });
  const [rule] = defaultRules().filter(({ action }) => action?.kind === "clip");
  expect(rule).toBeDefined();
  expect(inactiveWhy(rule!, "rloo")).toBe("rloo has no clip range");
});
