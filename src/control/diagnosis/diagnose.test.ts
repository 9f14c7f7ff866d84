import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type DiagnosisInput, likelihood, type Symptom, symptoms } from "./cause.ts";
import type { CauseId } from "./causes.ts";
import { diagnose } from "./diagnose.ts";
import { type Point, type RunHistory, swing, trend } from "./diagnosis-history.ts";

const iterations = 60;
const series = (value: (iteration: number) => number, { every = 1, n = iterations } = {}): Point[] =>
  Array.from({ length: n }, (_, iteration) => ({ iteration, value: value(iteration) })).filter(
    ({ iteration }) => iteration % every === 0,
  );
/** Deterministic noise between -1 and 1, with dissimilar neighbours. */
const wobble = (i: number) => Math.sin(2.4 * i);

const healthy: RunHistory = {
  "kl/old_new_k3_token": series((i) => 0.008 + 0.002 * wobble(i)),
  "clip/fraction": series(() => 0.08),
  "kl/ref_k3_token": series((i) => 0.002 * i),
  "kl/coef": series(() => 0.05),
  "entropy/mean": series((i) => 2 - 0.015 * i),
  "response/repeat_agreement": series((i) => 0.1 + 0.005 * i),
  "gradient/policy_norm": series(() => 0.5),
  "gradient/policy_norm_max": series(() => 0.9),
  "gradient/critic_norm": series(() => 0.7),
  "advantage/sign_flip_rate": series(() => 0.2),
  "advantage/sign_flip_chance": series(() => 0.48),
  "value/loss": series((i) => 0.2 + 0.3 / (1 + i) + 0.01 * wobble(i)),
  "value/explained_variance": series((i) => Math.min(0.8, 0.05 * i)),
  "value/clip_fraction": series(() => 0.02),
  "reward/score_mean": series((i) => 1.5 * (1 - Math.exp(-i / 15)) + 0.03 * wobble(i)),
  "reward/score_std": series(() => 1),
  "reward/score_p5": series(() => -1.7),
  "reward/score_p95": series(() => 1.8),
  "reward/gold_correlation": series(() => 0.7),
  "gold/mean": series((i) => 0.4 + 0.008 * i),
  "reward/length_correlation": series(() => 0.1),
  "response/length_mean": series((i) => 20 - 0.05 * i),
  "response/distinct_2": series(() => 0.3),
  "response/distinct_prompts_share": series(() => 0.9),
  "monitor/gold": series((i) => 0.4 + 0.008 * i, { every: 10 }),
  "monitor/sums": series((i) => 0.6 + 0.002 * i, { every: 10 }),
  "monitor/check_fall": series((i) => -0.002 * i, { every: 10 }),
  "machine/resident_mb": series(() => 900),
};
const input: DiagnosisInput = {
  history: healthy,
  done: iterations,
  settings: {
    iterations,
    sequences: 512,
    minibatches: 1,
    responsesPerPrompt: 1,
    epochs: 4,
    learningRate: 1e-5,
    criticLearningRate: 2e-5,
    clipLow: 0.2,
    clipHigh: 0.2,
    valueClip: 0.2,
    valueCoef: null,
    klCoef: 0.05,
    klBounded: false,
    klControllers: [],
    entropyCoef: 0.01,
    temperature: 1,
    topK: 0,
    topP: 1,
    gamma: 1,
    lambda: 0.95,
    maxGradNorm: 1,
    maxNewTokens: 64,
    groups: false,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-5,
    weightDecay: 0,
    warmup: 0.05,
    whitenAdvantages: true,
    dualClip: null,
    stopEpochsAtKl: null,
    penaltyBeta: null,
    slowCriticDecay: null,
    scoreClip: 10,
    missingEosPenalty: 0,
    microBatch: 0,
    lengthReward: false,
  },
  model: { parameters: null },
  findings: [],
  heldOutAccuracy: null,
  entropyScale: "relative",
  messages: ["checkpoint saved"],
  lost: false,
  memoryMb: 4096,
  samples: [{ prompt: "p", response: "r", score: 1 }],
};
const isTraining = {
  id: "evaluation/is_training",
  what: "the evaluation asks the prompts of PPO",
  remedy: "",
} as const;
type Change = Partial<Omit<DiagnosisInput, "history" | "settings">> & {
  readonly history?: RunHistory;
  readonly settings?: Partial<DiagnosisInput["settings"]>;
};
const changed = ({ history, settings, ...more }: Change): DiagnosisInput => ({
  ...input,
  ...more,
  history: { ...healthy, ...history },
  settings: { ...input.settings, ...settings },
});
const symptomsOf = (change: Change) => [...new Set(diagnose(changed(change)).map(({ symptom }) => symptom))];

it("finds nothing in a healthy run, nor in one that recorded nothing", () => {
  expect(diagnose(input)).toEqual([]);
  expect(diagnose({ ...input, history: {}, done: 0 })).toEqual([]);
  expect(diagnose({ ...input, history: {}, done: 0, findings: [isTraining] })).toEqual([]);
});

const flat = { "reward/score_mean": series((i) => 0.02 * wobble(i)) };
const fallen = {
  "reward/score_mean": series((i) => (i < 30 ? 0.05 * i : 0.3) + 0.02 * wobble(i)),
};
const collapsed = { "entropy/mean": series((i) => Math.max(0.1, 2 - 0.05 * i)) };
const exploded = { "kl/old_new_k3_token": series((i) => (i >= 40 ? 0.06 : 0.01)) };
const lagging = { "value/explained_variance": series(() => 0.1) };
const overfitted = { "value/loss": series((i) => (i % 2 === 0 ? 0.2 : 0.5)) };

describe("each row of the table, the likeliest cause first", () => {
  it.each<[Symptom, string, Change]>([
    ["reward_flat", "learning_rate_low", { history: { ...flat, "kl/old_new_k3_token": series(() => 1e-5) } }],
    ["reward_flat", "sequences_few", { history: flat, settings: { sequences: 128 } }],
    ["reward_flat", "reward_wrong", { history: flat }],
    ["reward_flat", "reward_wrong", { history: { ...flat, "reward/score_std": series((i) => (i === 0 ? 1 : 0)) } }],
    [
      "reward_falls",
      "learning_rate_high",
      { history: { ...fallen, "kl/old_new_k3_token": series((i) => (i === 30 ? 0.1 : 0.01)) } },
    ],
    [
      "reward_falls",
      "kl_coef_low",
      { history: { ...fallen, "kl/ref_k3_token": series((i) => (i < 28 ? 0.05 : 0.4)) } },
    ],
    [
      "reward_falls",
      "gradient_unclipped",
      {
        history: { ...fallen, "gradient/policy_norm_max": series((i) => (i === 30 ? 50 : 0.9)) },
        settings: { maxGradNorm: null },
      },
    ],
    [
      "entropy_collapses",
      "temperature_low",
      { history: { ...collapsed, "response/repeat_agreement": series((i) => (i < 20 ? 0.1 : 0.9)) } },
    ],
    ["entropy_collapses", "entropy_bonus_weak", { history: collapsed, settings: { temperature: 0.8 } }],
    [
      "entropy_collapses",
      "length_penalty_strong",
      {
        history: { ...collapsed, "response/length_mean": series((i) => (i < 30 ? 20 : 5)) },
        settings: { lengthReward: true },
      },
    ],
    [
      "kl_explodes",
      "clip_wide",
      { history: { ...exploded, "clip/fraction": series(() => 0.01) }, settings: { clipHigh: 0.4 } },
    ],
    ["kl_explodes", "epochs_many", { history: exploded, settings: { epochs: 8 } }],
    ["kl_explodes", "sequences_few", { history: exploded, settings: { sequences: 32, epochs: 2, clipHigh: 0.1 } }],
    [
      "kl_explodes",
      "learning_rate_high",
      { history: { ...exploded, "settings/policy_learning_rate": series((i) => (i < 40 ? 1e-5 : 3e-4)) } },
    ],
    [
      "metrics_swing",
      "sequences_few",
      { history: { "reward/score_mean": series((i) => 0.03 * i + 0.2 * wobble(i)) }, settings: { sequences: 64 } },
    ],
    ["advantage_signs", "lambda_low", { history: { "advantage/sign_flip_rate": series(() => 0.54) } }],
    ["critic_lags", "critic_rate_low", { history: lagging, settings: { criticLearningRate: 1e-6 } }],
    ["critic_lags", "critic_rate_low", { history: { ...lagging, "gradient/critic_norm": series(() => 0) } }],
    ["critic_lags", "value_clip_tight", { history: { ...lagging, "value/clip_fraction": series(() => 0.6) } }],
    ["critic_overfits", "critic_rate_high", { history: overfitted, settings: { criticLearningRate: 1e-3 } }],
    ["critic_overfits", "epochs_many", { history: overfitted, settings: { epochs: 8 } }],
    ["critic_overfits", "value_clip_loose", { history: overfitted, settings: { valueClip: null } }],
    ["gold_jumps", "reward_leak", { history: { "monitor/gold": series((i) => (i < 30 ? 0.3 : 0.9), { every: 10 }) } }],
    ["out_of_memory", "memory_micro_batch", { messages: ["onnxruntime: Failed to allocate memory for 12 MB"] }],
    ["out_of_memory", "memory_length", { messages: ["out of memory"], settings: { maxNewTokens: 4096 } }],
    ["out_of_memory", "memory_micro_batch", { lost: true, memoryMb: 950 }],
    [
      "reward_too_clever",
      "reward_shortcut",
      { history: { "monitor/gold": series((i) => 0.8 - 0.005 * i, { every: 10 }) } },
    ],
    [
      "reward_too_clever",
      "reward_shortcut",
      { history: { "monitor/sums": series((i) => 0.7 - 0.009 * i, { every: 10 }) } },
    ],
    [
      "reward_too_clever",
      "reward_shortcut",
      { history: { "reward/gold_correlation": series(() => 0.29), "gold/mean": series(() => 0.89) } },
    ],
    ["reward_too_clever", "reward_shortcut", { history: { "response/distinct_2": series((i) => 0.3 - 0.003 * i) } }],
    [
      "reward_too_clever",
      "reward_outside_training",
      { history: { "reward/component/model_outside_training_share": series((i) => i / 60) } },
    ],
    [
      "check_fell",
      "reward_shortcut",
      {
        history: {
          "evaluation/fall/sums": [{ iteration: 60, value: 0.14 }],
          "evaluation/before/reward": [{ iteration: 60, value: 0.1 }],
          "evaluation/after/reward": [{ iteration: 60, value: 1.2 }],
        },
      },
    ],
    [
      "kl_too_small",
      "kl_coef_low",
      { history: { "kl/ref_k3_token": series((i) => 0.02 * i), "kl/coef": series(() => 0.001) } },
    ],
    [
      "prompts_narrow",
      "prompts_narrowed",
      { history: { "response/distinct_prompts_share": series((i) => (i < 30 ? 0.9 : 0.01)) } },
    ],
    ["evaluation_is_training", "evaluation_is_training", { findings: [isTraining] }],
    [
      "evaluation_is_training",
      "evaluation_near_training",
      { findings: [{ id: "evaluation/near_overlap", what: "60 of 60 evaluation prompts nearly equal", remedy: "" }] },
    ],
    ["prompts_narrow", "prompts_few", { history: { "response/distinct_prompts_share": series(() => 0.01) } }],
    ["reward_suspect", "reward_constant", { history: { ...flat, "reward/score_std": series(() => 0) } }],
    [
      "reward_suspect",
      "reward_sparse",
      {
        history: {
          "reward/score_mean": series((i) => (i % 9 === 0 ? 0.01 : 0)),
          "reward/score_std": series((i) => (i % 9 === 0 ? 0.1 : 0)),
          ...Object.fromEntries(["p5", "p50", "p95"].map((q) => [`reward/score_${q}`, series(() => 0)])),
        },
      },
    ],
    ["reward_suspect", "reward_scale", { history: { "reward/score_std": series(() => 11) } }],
    [
      "reward_suspect",
      "reward_offset",
      { history: { "reward/score_mean": series((i) => 100 + 0.01 * i), "value/offset_to_clip": series(() => 50) } },
    ],
    ["reward_suspect", "reward_noisy", { heldOutAccuracy: 0.6 }],
    ["reward_suspect", "reward_inverted", { history: { "reward/gold_correlation": series(() => -0.5) } }],
    [
      "reward_suspect",
      "reward_unrepeatable",
      {
        findings: [
          { id: "reward/unrepeatable", what: "scored a second time, 9 of 64 samples changed", remedy: "repair it" },
        ],
      },
    ],
    [
      "reward_suspect",
      "reward_call_order",
      {
        findings: [{ id: "reward/call_order", what: "in reverse order, 9 of 64 samples changed", remedy: "repair it" }],
      },
    ],
    [
      "reward_suspect",
      "reward_pays_length",
      {
        history: {
          "reward/length_correlation": series(() => 0.7),
          "response/length_mean": series((i) => 20 + 0.2 * i),
        },
      },
    ],
    [
      "reward_suspect",
      "reward_pays_unsafe",
      {
        history: {
          "safety/share": series((i) => 0.002 * i),
          "safety/score_difference": series(() => 1),
          "safety/score_difference_errors": series(() => 4),
        },
      },
    ],
    ["responses_truncated", "max_new_tokens_short", { history: { "response/truncated_share": series(() => 0.7) } }],
    ["responses_truncated", "reward_pays_length", { history: { "response/truncated_share": series((i) => i / 60) } }],
    ["reward_moves", "reward_drift", { history: { "reward/score_p50": series((i) => -0.02 * i) } }],
    [
      "reward_moves",
      "reward_drift",
      { history: { "reward/component/taste_p5": series((i) => -Math.min(7, Math.sqrt(8 * i) + 0.1 * wobble(i))) } },
    ],
    ["reward_moves", "reward_drift", { history: { "kl/ref_k1_sequence": series(() => 0.1) } }],
    [
      "gold_falls",
      "learning_rate_high",
      { history: { "monitor/gold": series((i) => (i < 30 ? 0.8 : 0.4), { every: 3 }), ...exploded } },
    ],
    ["not_its_own", "reference_changed", { history: { "reference/fingerprint": series((i) => (i < 30 ? 7 : 8)) } }],
    ["not_its_own", "stale_rollouts", { history: { "ratio/first_max_deviation": series(() => 0.01) } }],
    ["not_its_own", "sampling_truncated", { history: { "kl/ref_k1_sequence": series(() => -2) } }],
    ["not_its_own", "nonfinite_numbers", { history: { "gradient/nonfinite_count": series((i) => Number(i === 9)) } }],
    [
      "critic_lags",
      "critic_rate_high",
      { history: { ...lagging, "value/explained_variance_with_bias": series(() => -2) } },
    ],
    ["critic_lags", "critic_rate_low", { history: { ...lagging, "value/change_to_returns": series(() => 1e-6) } }],
    [
      "reward_too_clever",
      "reward_shortcut",
      {
        history: {
          "reward/component/ok_mean": series((i) => 0.02 * i),
          "reward/component/model_mean": series((i) => -0.01 * i),
        },
      },
    ],
    [
      "trend_unproven",
      "judged_early",
      {
        history: Object.fromEntries(Object.entries(healthy).map(([key, points]) => [key, points.slice(0, 8)])),
        done: 8,
      },
    ],
  ])("%s: %s", (symptom, cause, change) => {
    const first = diagnose(changed(change)).find((found) => found.symptom === symptom);
    expect(first?.id).toBe(cause);
    expect(first?.remedy).not.toBe("");
  });

  it("has a test", () => {
    const page = readFileSync("docs/diagnosis.md", "utf8");
    for (const symptom of Object.keys(symptoms)) expect(page).toContain(`| \`${symptom}\` |`);
  });
});

describe("thresholds, the healthy side", () => {
  it.each<[Symptom, Change]>([
    ["reward_flat", { history: { "reward/score_mean": series((i) => i * 0.003) } }],
    ["reward_flat", { history: { "reward/score_mean": series(() => 0, { n: 19 }) } }],
    ["reward_falls", { history: { "reward/score_mean": series((i) => (i < 30 ? 0.05 * i : 1.05)) } }],
    ["entropy_collapses", { history: { "entropy/mean": series((i) => 2 - 0.0265 * i) } }],
    ["kl_explodes", { history: { "kl/old_new_k3_token": series((i) => (i % 3 < 2 ? 0.14 : 0.04)) } }],
    ["kl_explodes", { history: { "kl/ref_to_target": series(() => 4) } }],
    ["metrics_swing", { history: { "reward/score_mean": series((i) => 0.03 * i + 0.05 * wobble(i)) } }],
    ["advantage_signs", { history: { "advantage/sign_flip_rate": series(() => 0.52) } }],
    ["critic_lags", { history: { "value/explained_variance": series(() => 0.31) } }],
    ["critic_overfits", { history: { "value/loss": series((i) => (i % 2 === 0 ? 0.3 : 0.45)) } }],
    ["gold_jumps", { history: { "monitor/gold": series((i) => (i < 30 ? 0.3 : 0.5), { every: 10 }) } }],
    ["out_of_memory", { lost: true }],
    ["reward_too_clever", { history: { "monitor/gold": series((i) => 0.8 - 0.002 * i, { every: 10 }) } }],
    [
      "reward_too_clever",
      { history: { "reward/gold_correlation": series(() => 0.1), "gold/mean": series(() => 0.91) } },
    ],
    ["reward_too_clever", { history: { "reward/gold_correlation": series(() => 0.1), "gold/mean": [] } }],
    [
      "reward_too_clever",
      {
        history: {
          "monitor/gold": series((i) => 0.8 - 0.005 * i, { every: 10 }),
          "monitor/sums": series((i) => 0.7 - 0.009 * i, { every: 10 }),
          "monitor/score": series((i) => 1 - 0.01 * i, { every: 10 }),
        },
      },
    ],
    ["reward_too_clever", { history: { "monitor/sums": series((i) => (i < 40 ? 0.7 : 0.46), { every: 10 }) } }],
    ["reward_too_clever", { history: { "monitor/sums": series((i) => (i < 50 ? 0.7 : 0.3), { every: 10 }) } }],
    // The evaluation of a run that was trained further since.
    ["check_fell", { history: { "evaluation/fall/sums": [{ iteration: 40, value: 0.14 }] } }],
    ["kl_too_small", { history: { "kl/ref_k3_token": series((i) => 0.02 * i) } }],
    [
      "prompts_narrow",
      { history: { "response/distinct_prompts_share": series(() => 0.125) }, settings: { responsesPerPrompt: 8 } },
    ],
    ["trend_unproven", { history: { "reward/score_mean": series((i) => i * 0.01 + wobble(i) * 0.3) } }],
  ])("no %s", (symptom, change) => {
    expect(symptomsOf(change)).not.toContain(symptom);
  });
});

describe("runs as they were recorded", () => {
  type Recorded = Record<"demo-1" | "overoptimised-1", Record<string, (number | null)[]>>;
  const recorded: Recorded = JSON.parse(readFileSync("test/fixtures/recorded-histories.json", "utf8"));
  const found = (run: keyof Recorded, settings: Partial<DiagnosisInput["settings"]>) => {
    const history = Object.fromEntries(
      Object.entries(recorded[run]).map(([key, values]) => [
        key,
        values.map((value, iteration) => ({ iteration, value: value ?? Number.NaN })),
      ]),
    );
    const done = recorded[run]["reward/score_mean"]!.length;
    const shared = { minibatches: 2, epochs: 2, entropyCoef: 0, maxNewTokens: 28 };
    return diagnose({ ...input, history, done, settings: { ...input.settings, ...shared, ...settings } });
  };

  it("the demo, if nearly every answer passes and the correlation with gold is 0.18, has nothing", () => {
    expect(found("demo-1", { sequences: 256, learningRate: 2e-4, criticLearningRate: 4e-4 })).toEqual([]);
  });

  it("one that loses its sums while gold as a whole rises has found a shortcut", () => {
    const settings = { sequences: 128, responsesPerPrompt: 2, learningRate: 3e-4, criticLearningRate: 6e-4 };
    expect(found("overoptimised-1", settings)[0]).toMatchObject({
      symptom: "reward_too_clever",
      likelihood: likelihood.likely,
      seen: "the gold check monitor/sums fell from 69% to 28%",
      evidence: "meanwhile the score rose by 0.629",
    });
  });
});

describe("settings and their bands", () => {
  const firstOf = (change: Change) => diagnose(changed(change))[0];
  const small = {
    history: { "kl/coef": [] },
    model: { parameters: 1e9 },
    settings: { learningRate: 3e-6, criticLearningRate: 6e-6 },
  };

  it("within its band a setting is at most possible; far outside it explains the symptom, and says since when", () => {
    const history = { "monitor/gold": series((i) => (i < 30 ? 0.8 : 0.4), { every: 3 }), ...exploded };
    expect(firstOf({ ...small, history })!.likelihood).toBe(likelihood.possible);
    const rate = series((i) => (i < 36 ? 3e-6 : 3e-5));
    const found = firstOf({ ...small, history: { ...history, "settings/policy_learning_rate": rate } });
    expect(found).toMatchObject({ id: "learning_rate_high", likelihood: likelihood.likely, since: 36 });
    expect(found?.evidence).toContain("from iteration 36 on (it began at 3e-6)");
    // A schedule that falls is no fault.
    const falling = { "settings/policy_learning_rate": series((i) => 3e-6 * (1 - i / 60)) };
    expect(diagnose(changed({ ...small, history: falling }))).toEqual([]);
  });

  it.each<[CauseId, Partial<DiagnosisInput["settings"]>]>([
    ["critic_rate_high", { criticLearningRate: 6e-4 }],
    ["critic_rate_low", { criticLearningRate: 6e-9 }],
    ["clip_wide", { clipHigh: 0.9 }],
    ["clip_tight", { clipLow: 0.001 }],
    ["epochs_many", { epochs: 16 }],
    ["update_ends_early", { stopEpochsAtKl: 1e-5 }],
    ["penalty_weak", { penaltyBeta: 1e-4 }],
    ["sequences_few", { sequences: 8 }],
    ["kl_coef_low", { klCoef: 0 }],
    ["kl_coef_high", { klCoef: 5 }],
    ["temperature_low", { temperature: 0.3 }],
    ["temperature_high", { temperature: 2 }],
    ["sampling_truncated", { topK: 5 }],
    ["entropy_bonus_strong", { entropyCoef: 1 }],
    ["gradient_unclipped", { maxGradNorm: null }],
    ["gradient_clip_tight", { maxGradNorm: 1e-4 }],
    ["optimizer_unusual", { beta2: 0.5 }],
    ["weight_decay_high", { weightDecay: 1 }],
    ["warmup_long", { warmup: 0.9 }],
    ["gamma_low", { gamma: 0.9 }],
    ["lambda_low", { lambda: 0 }],
    ["whitening_off", { whitenAdvantages: false }],
    ["dual_clip_tight", { dualClip: 1.01 }],
    ["value_clip_tight", { valueClip: 1e-3 }],
    ["value_coef_high", { valueCoef: 50 }],
    ["slow_critic_stale", { slowCriticDecay: 0.99999 }],
    ["score_clip_tight", { scoreClip: 0.1 }],
    ["eos_penalty_strong", { missingEosPenalty: 100 }],
  ])("%s is named even if nothing is seen yet, and first if something is", (id, settings) => {
    const change = { ...small, settings: { ...small.settings, ...settings } };
    expect(diagnose(changed(change))).toMatchObject([
      { id, symptom: "setting_unusual", likelihood: likelihood.possible },
    ]);
    const history = {
      ...small.history,
      ...flat,
      ...lagging,
      ...collapsed,
      ...exploded,
      "value/loss": overfitted["value/loss"],
    };
    const named = diagnose(changed({ ...change, history })).filter((one) => one.id === id);
    expect(named[0]!.likelihood).toBe(likelihood.likely);
  });

  it("a shortcut stands behind a setting that is as likely", () => {
    const history = { ...small.history, "monitor/gold": series((i) => 0.8 - 0.009 * i, { every: 5 }) };
    expect(firstOf({ ...small, history })?.id).toBe("reward_shortcut");
    expect(firstOf({ ...small, history, settings: { ...small.settings, klCoef: 0 } })?.id).toBe("kl_coef_low");
  });
});

it("the absolute scale knows a floor of 0.8 nats", () => {
  const history = { "entropy/mean": series((i) => 1.2 - 0.008 * i) };
  expect(symptomsOf({ history })).toEqual([]);
  expect(symptomsOf({ history, entropyScale: "absolute" })).toEqual(["entropy_collapses"]);
});

it("causes with evidence of their own stand first, and the samples go with the reward", () => {
  const samples = [3, 1, 2].map((score) => ({ prompt: "p", response: "r", score }));
  const found = diagnose(changed({ history: flat, samples, settings: { sequences: 128 } }));
  const likelihoods = found.map((one) => one.likelihood);
  expect(likelihoods).toEqual([...likelihoods].sort((a, b) => b - a));
  expect(likelihoods).toContain(likelihood.possible);
  const reward = diagnose(changed({ history: flat, samples })).find(({ id }) => id === "reward_wrong");
  expect(reward?.samples.map(({ score }) => score)).toEqual([3, 2, 1]);
});

it("NaN and missing values speak for nothing", () => {
  const history = Object.fromEntries(Object.keys(healthy).map((key) => [key, series(() => Number.NaN)]));
  expect(diagnose({ ...input, history })).toEqual([]);
});

it("a trend is as sure as its line; a swing does not count the trend", () => {
  expect(trend([0, 1, 2, 3])).toEqual({ rise: 3, standardErrors: Number.POSITIVE_INFINITY });
  // Slope 0.6, residual variance 1.6 / 2, sum of squares 5: 0.6 / sqrt(0.8 / 5).
  expect(trend([0, 2, 1, 2.333333333]).standardErrors).toBeCloseTo(1.53, 1);
  expect(swing([0, 1, 2, 3, 4])).toBe(0);
  expect(swing([0, 1, 0, 1, 0])).toBe(1);
});
