import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { updateStatistics } from "../objectives/clipped-policy.ts";
import type { IterationRecord, MinibatchRecord, RolloutRecord } from "./iteration-record.ts";
import { iterationSignals, nextHistory } from "./rollout-signals.ts";
import { stronglyNegativeErrors } from "./update-signals.ts";

/** Three responses, the last with padding that holds NaN; two share a prompt. */
const rollout: RolloutRecord = {
  prompts: [
    [5, 6],
    [5, 6],
    [7, 8, 9],
  ],
  responses: [
    [1, 2, 0],
    [1, 2, 0],
    [3, 3],
  ],
  stopReasons: ["stop", "stop", "length"],
  endsWithEos: [true, true, false],
  mask: [
    [1, 1, 1],
    [1, 1, 1],
    [1, 1, 0],
  ],
  logprobs: [
    [-1, -1, -1],
    [-2, -1, -1],
    [-1, -3, NaN],
  ],
  samplerLogprobs: [
    [-1.5, -1, -1],
    [-2, -1, -1],
    [-1, -2.9, NaN],
  ],
  refLogprobs: [
    [-1, -2, -1],
    [-2, -1, -1.5],
    [-2, -1, NaN],
  ],
  entropy: [
    [1, 2, 1],
    [1, 2, 1],
    [1, 3, NaN],
  ],
  values: [
    [0, 1, 2],
    [0, 1, 2],
    [3, 2, NaN],
  ],
  returns: [
    [1, 2, 3],
    [1, 2, 3],
    [4, 3, NaN],
  ],
  rewards: [
    [0, 0, 1],
    [0, 0.5, 2],
    [0, -4, NaN],
  ],
  advantagesRaw: [
    [1, -1, 2],
    [1, 1, 2],
    [-4, -2, NaN],
  ],
  advantages: [
    [0.5, -0.5, 1],
    [0.5, 0.5, 1],
    [-2, -1, NaN],
  ],
  scores: [1, 3, -20],
  components: { quality: [1, 2, 6], brief: [0, 1, NaN], second: [3, 2, 0] },
  learned: ["quality", "second"],
  verdicts: [{ sums: true }, { brief: false }, {}],
  safety: { threat: [false, false, true], insult: [false, true, true] },
  probeRefLogprobs: [[-1, -2]],
};

const statistics = (newLogprob: number) =>
  updateStatistics({
    logprobs: [[newLogprob]],
    oldLogprobs: [[-1]],
    advantages: [[1]],
    clipLow: 0.2,
    clipHigh: 0.2,
    dualClip: null,
  });

const minibatch = (epoch: number, newLogprob: number, more: Partial<MinibatchRecord> = {}): MinibatchRecord => ({
  epoch,
  statistics: statistics(newLogprob),
  policyLoss: -0.5,
  valueLoss: 2,
  valueClipFraction: 0.25,
  valueChange: 0.5,
  policyGradNorm: 0.5,
  policyLayers: { norms: { embeddings: 3 }, moments: { embeddings: { mean: 0, variance: 1 } } },
  criticLayers: { norms: { score: 4 }, moments: { score: { mean: 1, variance: 2 } } },
  masked: false,
  criticGradNorm: 4,
  skipped: false,
  ...more,
});

const record: IterationRecord = {
  rollout,
  minibatches: [
    minibatch(0, -1),
    minibatch(0, -1, { policyGradNorm: 3 }),
    minibatch(1, 0, { valueLoss: 1, valueChange: 0.75 }),
    minibatch(1, -1, { valueClipFraction: 0.75 }),
  ],
  firstRatioDeviation: 1e-6,
  settings: { klIn: "reward", klCoef: 0.1, scoreClip: 10, missingEosPenalty: 1, maxGradNorm: 1 },
  history: { firstEntropyMean: 3, entropyMeans: [3, 2.5], scoreMeans: [-1] },
};

describe("the signals of an iteration", () => {
  const signals = iterationSignals(record);
  const expectAll = (wanted: Record<string, number>) => {
    for (const [key, value] of Object.entries(wanted)) {
      if (Number.isNaN(value)) expect(signals[key], key).toBeNaN();
      else expect(signals[key], key).toBeCloseTo(value, 12);
    }
  };

  it("of the update: distance from the last epoch, events from all", () => {
    expectAll({
      "kl/old_new_k3_token": (Math.E - 2) / 2,
      "kl/old_new_k3_token_max": Math.E - 2,
      "ratio/mean": (Math.E + 1) / 2,
      "ratio/max": Math.E,
      "ratio/variance": ((Math.E - 1) / 2) ** 2,
      "ratio/first_max_deviation": 1e-6,
      "clip/fraction": 1 / 4,
      "policy/loss": -0.5,
      "update/epochs": 2,
      "update/ended_early": 0,
      "update/steps": 4,
      "update/steps_skipped": 0,
    });
  });

  it("of what the last step did: it joins the last epoch, and what was measured before any step is left out", () => {
    const after = statistics(1);
    const whole = iterationSignals({ ...record, after });
    // e - 2, 0 and e^2 - 3 over three tokens of the last epoch and the pass after it.
    expect(whole["kl/old_new_k3_token"]).toBeCloseTo((Math.E - 2 + Math.E ** 2 - 3) / 3, 12);
    expect(whole["kl/last_step_k3_token"]).toBeCloseTo(Math.E ** 2 - 3, 12);
    expect(whole["clip/fraction"]).toBe(1 / 4);
    // One epoch of one minibatch is not blind, and its reading is not diluted by the 0 before its only step.
    const single = { ...record, minibatches: [minibatch(0, -1)] };
    expect(iterationSignals({ ...single, after })["kl/old_new_k3_token"]).toBeCloseTo(Math.E ** 2 - 3, 12);
    expect(iterationSignals(single)["kl/old_new_k3_token"]).toBe(0);
    expect(iterationSignals(single)).not.toHaveProperty(["kl/last_step_k3_token"]);
  });

  it("of a mean ratio that is not 1: in standard errors, and NaN if nothing moved", () => {
    const after = { ...statistics(-1), ratioMean: 1.1, ratioVariance: 0.04, tokens: 100 };
    expect(iterationSignals({ ...record, after })["ratio/mean_standard_errors"]).toBeCloseTo(5, 9);
    expect(iterationSignals({ ...record, after: statistics(-1) })["ratio/mean_standard_errors"]).toBeNaN();
  });

  it("of a share that is 0 of 3: it is not known exactly", () => {
    const safe = { ...rollout, safety: { threat: [false, false, false] } };
    expect(iterationSignals({ ...record, rollout: safe })["safety/share_se"]).toBeCloseTo(
      Math.sqrt(((2 / 7) * (5 / 7)) / 7),
      12,
    );
  });

  it("of an update that ended early: what ended it was measured, but is not a step", () => {
    const ended = iterationSignals({ ...record, endedBy: { epoch: 2, statistics: statistics(1) } });
    expect(ended["kl/old_new_k3_token"]).toBeCloseTo(Math.E ** 2 - 3, 12);
    expect(ended["clip/fraction"]).toBeCloseTo(2 / 5, 12);
    expect(ended["update/epochs"]).toBe(3);
    expect(ended["update/ended_early"]).toBe(1);
    expect(ended["update/steps"]).toBe(4);
  });

  it("of the reference: d is 0, 1, 0; 0, 0, 0.5; 1, -2", () => {
    const k3 = (d: number) => Math.exp(-d) - 1 + d;
    const total = 2 * k3(1) + k3(0.5) + k3(-2);
    expectAll({
      "kl/ref_k1_token": 0.5 / 8,
      "kl/ref_k1_sequence": 0.5 / 3,
      "kl/ref_k3_token": total / 8,
      "kl/ref_k3_sequence": total / 3,
      "kl/coef": 0.1,
      // Penalties 0.1, 0.05, 0.1; scores 1, 3 and -10 - 1.
      "reward/kl_penalty_share": 0.25 / 15.25,
      "reward/ref_logprob_sequence": (-4 - 4.5 - 3) / 3,
    });
  });

  it("of exploration: slopes end at this iteration", () => {
    expectAll({
      "entropy/mean": 12 / 8,
      "entropy/std": Math.sqrt(22 / 8 - 1.5 ** 2),
      "entropy/ratio_to_first": 0.5,
      "entropy/slope": -0.75,
      "response/repeat_agreement": 1,
    });
  });

  it("of gradients", () => {
    expectAll({
      "gradient/policy_norm": 4.5 / 4,
      "gradient/policy_norm_max": 3,
      "gradient/policy_clipped_share": 0.25,
      "gradient/critic_norm": 4,
      "gradient/critic_clipped_share": 1,
      "gradient/nonfinite_count": 0,
      "gradient/policy/embeddings_norm": 3,
      "gradient/critic/score_variance": 2,
      "gradient/critic_layer_norm_mean": 4,
    });
    const masked = minibatch(0, -1, { masked: true, policyLayers: undefined });
    const without = iterationSignals({ ...record, minibatches: [masked] });
    expect(without).not.toHaveProperty(["gradient/policy/embeddings_norm"]);
    expect(without["update/minibatches_masked"]).toBe(1);
    expect(without["update/masked_share"]).toBe(1);
    // One step an iteration: nothing was measured after it.
    expect(without).not.toHaveProperty(["value/change_to_returns"]);
  });

  it("of advantages and values", () => {
    expectAll({
      "advantage/abs_mean_raw": 14 / 8,
      "advantage/abs_mean": 7 / 8,
      "advantage/std_raw": Math.sqrt(32 / 7),
      "advantage/sign_flip_rate": 2 / 5,
      "advantage/sign_flip_chance": 2 * (5 / 8) * (3 / 8),
      "advantage/strongly_negative_share": 1 / 3,
      "value/loss": 7 / 4,
      "value/loss_to_policy_loss": 3.5,
      "value/explained_variance": 1,
      "value/explained_variance_with_bias": 1 - 1 / ((1 + 4 + 9 + 1 + 4 + 9 + 16 + 9) / 8 - (19 / 8) ** 2),
      "value/clip_fraction": 1.5 / 4,
      "value/change_to_returns": 0.75 / Math.sqrt(53 / 8 - (19 / 8) ** 2),
      "value/mean": 11 / 8,
      "value/return_mean": 19 / 8,
    });
  });

  it("of the reward, a component's NaN staying with its component", () => {
    expectAll({
      "reward/score_mean": -16 / 3,
      // Clusters of 1 and 3, and of -20: residuals add up to 44/3 and -44/3.
      "reward/score_se": 88 / 9,
      "reward/score_p50": 1,
      "reward/score_slope": -16 / 3 + 1,
      "reward/score_clipped_share": 1 / 3,
      "reward/total_sequence": -0.5 / 3,
      "reward/component/quality_mean": 3,
      "reward/component/quality_p5": 1.1,
      "reward/component/quality_std": Math.sqrt(14 / 3),
      "reward/component/brief_mean": NaN,
      "reward/component/brief_p95": NaN,
      "rollout/nonfinite_count": 1,
    });
    expect(signals["reward/length_correlation"]).toBeGreaterThan(0.9);
  });

  it("of disagreement and gold: what two models say of a response, and whether a check agrees with the score", () => {
    // 1 and 3, 2 and 2, 6 and 0.
    expectAll({ "reward/disagreement": (1 + 0 + 3) / 3, "gold/mean": 0.5, "gold/sums": 1, "gold/brief": 0 });
    expectAll({ "reward/gold_correlation": -1 });
  });

  it("of responses and safety", () => {
    expectAll({
      "response/length_mean": 8 / 3,
      "response/length_variance": 2 / 9,
      "response/length_variance_prompt_2": 0,
      "response/length_variance_prompt_4": 0,
      "response/truncated_share": 1 / 3,
      "response/eos_share": 2 / 3,
      "response/repeated_4gram_share": 0,
      "response/distinct_2": 3 / 5,
      "response/distinct_prompts_share": 2 / 3,
      "safety/share": 2 / 3,
      // 3 and -20 against 1, over the standard deviation of the three.
      "safety/score_difference": -9.5 / Math.sqrt(974 / 9),
      "safety/threat_share": 1 / 3,
      "safety/insult_share": 2 / 3,
    });
  });

  it("count what is not finite, and show it", () => {
    const minibatches = [minibatch(0, -1, { policyGradNorm: NaN, criticGradNorm: Infinity, skipped: true })];
    const broken = iterationSignals({ ...record, minibatches });
    expect(broken["gradient/nonfinite_count"]).toBe(2);
    expect(broken["gradient/policy_norm"]).toBeNaN();
    expect(broken["gradient/critic_norm_max"]).toBe(Infinity);
    expect(broken["gradient/critic_clipped_share"]).toBe(0);
    expect(broken["update/steps_skipped"]).toBe(1);
  });

  it("are absent if they cannot be known", () => {
    const first = iterationSignals({
      ...record,
      history: undefined,
      rollout: {
        ...rollout,
        prompts: [[1], [2], [3]],
        probeRefLogprobs: undefined,
        learned: ["quality"],
        verdicts: undefined,
      },
      minibatches: [minibatch(0, -1, { criticGradNorm: null })],
    });
    expect(first["entropy/ratio_to_first"]).toBe(1);
    for (const key of [
      "entropy/slope",
      "reward/score_slope",
      "response/repeat_agreement",
      "reference/fingerprint",
      "gradient/critic_norm",
      "reward/disagreement",
      "reward/gold_correlation",
      "gold/mean",
    ])
      expect(first, key).not.toHaveProperty([key]);
  });

  it("have no KL in the reward if it is in the loss", () => {
    const inLoss = iterationSignals({ ...record, settings: { ...record.settings, klIn: "loss" } });
    expect(inLoss["reward/kl_penalty_share"]).toBe(0);
    expect(inLoss["kl/coef"]).toBe(0.1);
  });
});

describe("the history of signals", () => {
  it("keeps the first entropy and the last nine means", () => {
    let history = nextHistory(undefined, { "entropy/mean": 4, "reward/score_mean": 0 });
    for (let i = 1; i < 20; i++) history = nextHistory(history, { "entropy/mean": 4 - i, "reward/score_mean": i });
    expect(history.firstEntropyMean).toBe(4);
    expect(history.scoreMeans).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19]);
    expect(history.entropyMeans.at(-1)).toBe(-15);
  });
});

describe("docs/metrics.md", () => {
  const page = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
  // What stages record besides the signals of PPO (settings, machine, time, SFT, reward model) follows that heading.
  const [signalsOfPpo] = page.split(/^## Recorded by the stages/m) as [string];
  const rows = signalsOfPpo.split("\n").filter((line) => line.startsWith("| `"));

  it("has a line for every signal, and no line for another", () => {
    const documented = rows.map((line) => line.split("`")[1]!);
    const whole = { ...record, after: statistics(0), settings: { ...record.settings, valueClip: 0.2 } };
    const given = Object.keys(iterationSignals(whole)).map((key) =>
      key
        .replace(/^reward\/component\/(quality|brief|second)_/, "reward/component/<name>_")
        .replace(/^safety\/(threat|insult)_/, "safety/<category>_")
        .replace(/^gold\/(?!mean$).*/, "gold/<check>")
        .replace(/^(gradient\/(?:policy|critic))\/.*_/, "$1/<group>_")
        .replace(/_prompt_\d+$/, "_prompt_<n>"),
    );
    expect([...documented].sort()).toEqual([...new Set(given)].sort());
  });

  it("says unit, estimator and source of each", () => {
    for (const line of rows) {
      const cells = line.split(" | ").map((cell) => cell.replace(/\|/g, "").trim());
      expect(cells.length, line).toBe(4);
      expect(
        cells.every((cell) => cell.length > 0),
        line,
      ).toBe(true);
      expect(cells[3], line).toMatch(/^(rollout|update|engine|settings)$/);
    }
  });
});

it("the share of strongly negative sequences knows how many it is of: 10 of 32 are chance, 160 of 512 are not", () => {
  const rows = (negative: number, n: number) => Array.from({ length: n }, (_, b) => [b < negative ? -1.5 : 0.5, 0]);
  const slow = (negative: number, n: number) => {
    const p = 0.1587;
    return (negative / n - p) / Math.sqrt((p * (1 - p)) / n);
  };
  // The mean of [-1.5, 0] is above -1.
  expect(stronglyNegativeErrors(rows(10, 32))).toBeCloseTo(slow(0, 32), 12);
  const below = (negative: number, n: number) => rows(negative, n).map(([first]) => [first!]);
  expect(stronglyNegativeErrors(below(10, 32))).toBeCloseTo(slow(10, 32), 12);
  expect(stronglyNegativeErrors(below(10, 32))).toBeLessThan(3);
  expect(stronglyNegativeErrors(below(160, 512))).toBeGreaterThan(9);
  expect(stronglyNegativeErrors([])).toBeNaN();
});

describe("sampler and trainer", () => {
  const view = (changes: Partial<RolloutRecord>) =>
    iterationSignals({ ...record, rollout: { ...rollout, ...changes } });

  it("are compared token by token, without what is masked", () => {
    const signals = view({});
    const gaps = [-0.5, 0, 0, 0, 0, 0, 0, 0.1];
    const mean = (of: (gap: number) => number) => gaps.reduce((sum, gap) => sum + of(gap), 0) / gaps.length;
    expect(signals["sampler/gap_mean"]).toBeCloseTo(mean(Math.abs), 12);
    expect(signals["sampler/gap_max"]).toBeCloseTo(0.5, 12);
    expect(signals["sampler/kl_k3_token"]).toBeCloseTo(
      mean((gap) => Math.exp(-gap) - 1 + gap),
      12,
    );
  });

  it("are not, where the responses were not sampled by the engine", () => {
    const handed = rollout.logprobs.map((row) => row.map(() => NaN));
    for (const signals of [view({ samplerLogprobs: undefined }), view({ samplerLogprobs: handed })])
      expect(Object.keys(signals).filter((key) => key.startsWith("sampler/"))).toEqual([]);
  });

  it("an engine without entropies has their mean estimated from what was sampled, and no spread", () => {
    const signals = view({ entropy: undefined });
    expect(signals["entropy/mean"]).toBeCloseTo((1 + 1 + 1 + 2 + 1 + 1 + 1 + 3) / 8, 12);
    expect(signals["entropy/std"]).toBeUndefined();
  });
});
