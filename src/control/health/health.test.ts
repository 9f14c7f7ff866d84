import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import fc from "../../../test/support/property.ts";
import type { Evaluation } from "../../types/evaluation.ts";
import type { MetricValues } from "../../types/records.ts";
import { type History, observed } from "../observed.ts";
import { collapsed } from "./collapse.ts";
import { evaluatedHealth } from "./evaluated-health.ts";
import { combined, health, healthLengths, healthMetrics, scoreOf } from "./health.ts";
import { type Gauge, gauges } from "./parts.ts";

/** Health after these iterations, oldest first. */
function after(iterations: readonly MetricValues[]) {
  let history: History = {};
  iterations.forEach((signals, iteration) => {
    history = observed(history, { iteration, signals, lengths: healthLengths });
  });
  return health({ signals: iterations.at(-1) ?? {}, history });
}

/** Iterations after which a gauge reads `reading`. */
function reads({ signal, reading, unit }: Gauge, value: number): MetricValues[] {
  const key = signal.replace("*", "model");
  const scale: MetricValues = unit ? { "reward/score_std": 2, "reward/score_p5": -3, "reward/score_p95": 3 } : {};
  const unitSize = unit ? 2 : 1;
  const [before, now] = {
    value: [value, value],
    rise: [1, 1 + value],
    ratio_to_first: [2, 2 * value],
    ratio_to_median: [2, 2 * value],
    ratio_to_max: [2, 2 * value],
    fall_from_max: [1, 1 - unitSize * value],
    changed: [7, 7 + value],
  }[reading] as [number, number];
  return [...Array.from({ length: 25 }, () => ({ ...scale, [key]: before })), { ...scale, [key]: now }];
}

const scoreIn = (gauge: Gauge, value: number) => {
  const { parts, lowered } = after(reads(gauge, value));
  const says = lowered.find((sentence) => sentence.includes(gauge.says) && sentence.includes(`${gauge.good}, 0`));
  return { part: parts[gauge.part], says };
};

describe("each gauge", () => {
  it.each(
    gauges
      .filter(({ reading }) => reading !== "changed")
      .map((gauge) => [`${gauge.part}: ${gauge.says}, ${gauge.good} to ${gauge.bad}`, gauge] as const),
  )("%s", (_, gauge) => {
    const { good, bad } = gauge;
    const step = (bad - good) * 1e-6;
    expect(scoreIn(gauge, good - step)).toEqual({ part: 100, says: undefined });
    expect(scoreIn(gauge, good + 1e4 * step).part).toBeLessThan(100);
    expect(scoreIn(gauge, bad + step).part).toBeCloseTo(0, 3);
    expect(scoreIn(gauge, bad - 1e4 * step).part).toBeGreaterThan(0);
    expect(scoreIn(gauge, bad + step).says).toMatch(/^[a-z ]+ 0: /);
  });
});

it("a run without a gold check of its own gets no mark for the reward's integrity, and a sentence", () => {
  const run = (gold: number, now = 7) =>
    after([
      { "reference/fingerprint": 7, "settings/gold": gold },
      { "reference/fingerprint": now, "settings/gold": gold },
    ]);
  expect(run(2)).toEqual({ total: 100, parts: { reward_integrity: 100 }, lowered: [] });
  for (const gold of [0, 1]) {
    expect(run(gold).parts).toEqual({});
    expect(run(gold).lowered).toEqual([expect.stringMatching(/^reward hacking cannot be seen in this run/)]);
    // What speaks against it counts all the same.
    expect(run(gold, 8).parts).toEqual({ reward_integrity: 0 });
  }
});

it("a reference that changes takes everything from the reward's integrity", () => {
  const run = (now: number) => after([{ "reference/fingerprint": 7 }, { "reference/fingerprint": now }]).parts;
  expect([run(7), run(8)]).toEqual([{ reward_integrity: 100 }, { reward_integrity: 0 }]);
});

it("the rules' thresholds of approximate KL are 100, 55 and 0", () => {
  const kl = gauges.find(({ signal }) => signal === "kl/old_new_k3_token")!;
  expect([0.02, 0.05, 0.15].map((value) => Math.round(scoreOf(kl, value)))).toEqual([100, 55, 0]);
});

it("the lowest part weighs most", () => {
  expect(combined([])).toBeNull();
  expect(combined([40])).toBe(40);
  expect(combined([100, 0])).toBeCloseTo(100 / 3, 10);
  expect(combined([0, 100, 100, 100, 100, 100])).toBeCloseTo((100 * 31) / 63, 10);
  const scores = fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(scores, fc.nat(5), (list, i) => {
      const total = combined(list)!;
      expect(total).toBeGreaterThanOrEqual(Math.min(...list) - 1e-9);
      expect(total).toBeLessThanOrEqual(list.reduce((sum, score) => sum + score, 0) / list.length + 1e-9);
      const worse = list.map((score, j) => (j === i % list.length ? score / 2 : score));
      expect(combined(worse)!).toBeLessThanOrEqual(total + 1e-9);
    }),
  );
});

it("a part is its lowest signal, parts without one are absent, and what lowered them stands worst first", () => {
  const found = after([{ "kl/old_new_k3_token": 0.05, "clip/fraction": 0.48, "gradient/nonfinite_count": 1 }]);
  expect(Object.keys(found.parts).sort()).toEqual(["gradient", "update_size"]);
  expect(found.parts.gradient).toBe(0);
  expect(found.parts.update_size).toBeCloseTo(100 * (0.02 / 0.3), 6);
  expect(found.lowered).toEqual([
    "gradient 0: gradients that are not finite 1 (100 up to 0, 0 from 1)",
    "update size 7: clip fraction 0.48 (100 up to 0.2, 0 from 0.5)",
    "update size 55: approx KL 0.05 (100 up to 0.02, 0 from 0.15)",
  ]);
  expect(healthMetrics(found)).toEqual({
    "health/total": found.total,
    "health/gradient": 0,
    "health/update_size": found.parts.update_size,
  });
});

it("nothing recorded, or NaN, is not health at all; infinities are as bad as can be", () => {
  expect(after([{}])).toEqual({ total: null, parts: {}, lowered: [] });
  expect(healthMetrics(after([]))).toEqual({});
  const nan = Object.fromEntries([...healthLengths.keys()].map((key) => [key, Number.NaN]));
  expect(after([nan, nan]).lowered).toEqual([]);
  expect(after([{ "kl/old_new_k3_token": Number.POSITIVE_INFINITY }]).total).toBe(0);
});

it("the critic is judged once it has had time to learn", () => {
  const iterations = (n: number) => Array.from({ length: n }, () => ({ "value/explained_variance": 0 }));
  expect(after(iterations(19)).total).toBeNull();
  expect(after(iterations(20)).parts.value_fit).toBeCloseTo(40, 6);
});

it("a measurement made now and then holds for 20 iterations", () => {
  const run = (since: number) =>
    after([
      { "monitor/gold": 0.9 },
      { "monitor/gold": 0.6 },
      ...Array.from({ length: since }, () => ({ "clip/fraction": 0 })),
    ]).parts.reward_integrity;
  expect(run(0)).toBeCloseTo(0, 6);
  expect(run(20)).toBeCloseTo(0, 6);
  expect(run(21)).toBeUndefined();
});

it("the same iteration gives the same health from a longer history", () => {
  const signals = { "entropy/mean": 1, "gradient/policy_norm": 1 };
  const iterations = Array.from({ length: 40 }, (_, i) => ({ "entropy/mean": 2, "gradient/policy_norm": 1 + (i % 3) }));
  const longer = new Map([...healthLengths].map(([key, length]) => [key, length + 30]));
  let history: History = {};
  [...iterations, signals].forEach((values, iteration) => {
    history = observed(history, { iteration, signals: values, lengths: longer });
  });
  expect(health({ signals, history })).toEqual(after([...iterations, signals]));
});

it("what the evaluation saw fall beyond chance lowers the health after the last iteration, and nothing else does", () => {
  const change = (difference: number, half: number) => ({
    difference,
    low: difference - half,
    high: difference + half,
  });
  const evaluation = {
    shares: ["sums", "brief", "refuses"],
    differences: {
      sums: change(-0.14, 0.05),
      brief: change(-0.03, 0.05),
      refuses: change(0.2, 0.1),
      length: change(-9, 1),
    },
  } as unknown as Evaluation;
  const values = { "health/total": 90, "health/update_size": 80, "health/reward_integrity": 100, "kl/coef": 1 };
  const after = evaluatedHealth(evaluation, values);
  expect(after).toEqual({
    "evaluation/fall/sums": 0.14,
    "health/update_size": 80,
    "health/reward_integrity": 100 * (1 - 0.14 / 0.25),
    "health/total": combined([80, 100 * (1 - 0.14 / 0.25)]),
  });
  expect(evaluatedHealth({ ...evaluation, differences: {} }, values)["health/total"]).toBe(combined([80, 100]));
  expect(evaluatedHealth(evaluation, {})).toEqual({ "evaluation/fall/sums": 0.14 });
});

describe("collapse", () => {
  const gold = (values: readonly number[], every = 1) => values.map((value, i) => ({ iteration: i * every, value }));
  it("is gold under half its best for five iterations", () => {
    expect(collapsed(gold([0.2, 0.8, 0.3, 0.3, 0.3, 0.3, 0.3]))).toBe(2);
    expect(collapsed(gold([0.2, 0.8, 0.3, 0.3, 0.3, 0.3]))).toBeNull();
    expect(collapsed(gold([0.2, 0.8, 0.4, 0.4, 0.4, 0.4, 0.4]))).toBeNull();
    expect(collapsed(gold([0.8, 0.3, 0.3, 0.3, 0.5, 0.3, 0.3, 0.3]))).toBeNull();
  });
  it("takes two measurements if they are far apart, and never NaN for one", () => {
    expect(collapsed(gold([0.8, 0.3, 0.3], 10))).toBe(10);
    expect(collapsed(gold([0.8, 0.3], 10))).toBeNull();
    expect(collapsed(gold([0.8, 0.3, Number.NaN, 0.3], 4))).toBe(4);
    expect(collapsed(gold([0, 0, 0, 0, 0, 0, 0]))).toBeNull();
    expect(collapsed([])).toBeNull();
  });
});

it("docs/health.md has every gauge with its numbers", () => {
  const page = readFileSync("docs/health.md", "utf8");
  for (const { signal, good, bad } of gauges)
    expect(page).toMatch(
      new RegExp(`^\\| .* \\| \`${signal.replace("*", "<name>")}\` \\| .* \\| ${good} \\| ${bad} \\|$`, "m"),
    );
});
