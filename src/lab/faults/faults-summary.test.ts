import { describe, expect, it } from "vitest";
import { type Gold, goldOf } from "../gold.ts";
import type { FaultTrial } from "./fault-cells.ts";
import { isListed, plans } from "./fault-plans.ts";
import { detect, summarise } from "./faults-summary.ts";

const gold = (mean: number): Gold => ({ mean, low: mean - 0.03, high: mean + 0.03, samples: 1024 });

function cell(more: Partial<FaultTrial>): FaultTrial {
  return {
    fault: null,
    seed: 1,
    interventions: "on",
    run: "",
    from: more.fault ? 30 : null,
    iterations: 60,
    alerts: [],
    stopped: null,
    scoredAt: 60,
    gold: gold(0.8),
    acted: [],
    curve: [],
    health: [],
    goldCurve: [],
    ...more,
  };
}

const alert = (rule: string, signal: string, iteration: number, tier: 1 | 2 = 2) => ({ rule, signal, iteration, tier });

describe("detection", () => {
  it("counts the fault's first iteration, and forgets what came before it", () => {
    const alerts = [alert("kl_soft", "kl/old_new_k3_token", 12), alert("kl_hard", "kl/old_new_k3_token", 31, 1)];
    const found = detect(cell({ fault: "lr-spike", alerts }));
    expect(found).toEqual({ seed: 1, after: 2, rule: "kl_hard", listed: true });
  });

  it("prefers a signal that is meant for the fault, and says if there was none", () => {
    const other = alert("kl_hard", "kl/old_new_k3_token", 30);
    const own = alert("pair_accuracy_low", "reward_model/probe_accuracy", 33);
    expect(detect(cell({ fault: "reward-flip", alerts: [other, own] }))).toMatchObject({ after: 4, listed: true });
    expect(detect(cell({ fault: "reward-flip", alerts: [other] }))).toMatchObject({ after: 1, listed: false });
    expect(detect(cell({ fault: "reward-flip" }))).toEqual({ seed: 1, after: null, rule: null, listed: false });
  });

  it("a pattern of signals covers what begins like it", () => {
    const noise = plans.find(({ fault }) => fault === "few-sequences")!;
    expect(isListed(noise, "gradient/noise_scale")).toBe(true);
    expect(isListed(noise, "gradient/critic_norm")).toBe(false);
  });
});

describe("the table", () => {
  const late = alert("reference_fingerprint", "reference/fingerprint", 31, 1);
  const once = { ...late, iteration: 30 };
  const cells = [
    cell({ seed: 1, gold: gold(0.7) }),
    cell({ seed: 2, gold: gold(0.8) }),
    cell({ seed: 1, interventions: "off", gold: gold(0.9) }),
    cell({ seed: 2, interventions: "off", gold: gold(0.8) }),
    cell({ seed: 1, fault: "reference-drift", stopped: once, gold: gold(0.88) }),
    cell({ seed: 1, fault: "reference-drift", interventions: "off", alerts: [once], gold: gold(0.5) }),
    cell({ seed: 2, fault: "reference-drift", gold: gold(0.78) }),
    cell({ seed: 2, fault: "reference-drift", interventions: "off", alerts: [late], gold: gold(0.3) }),
    // Its other half is still to come.
    cell({ seed: 1, fault: "unsafe" }),
  ];

  it("has a row for each fault whose runs are done, with means over the seeds", () => {
    const { rows } = summarise(cells);
    expect(rows.map(({ fault }) => fault)).toEqual(["reference-drift"]);
    expect(rows[0]).toMatchObject({ caught: 1, of: 2, stopped: 1, limit: 1 });
    expect(rows[0]!.healthy.mean).toBeCloseTo(0.85);
    expect(rows[0]!.withController.mean).toBeCloseTo(0.83);
    expect(rows[0]!.withoutController.mean).toBeCloseTo(0.4);
    expect(rows[0]!.withoutController.high).toBeCloseTo(0.43);
  });

  it("counts false alarms only in healthy runs, up to where one was stopped", () => {
    const wrong = alert("kl_hard", "kl/old_new_k3_token", 9, 1);
    const noisy = cell({ seed: 3, alerts: [alert("reward_drop", "reward/score_mean", 4), wrong], stopped: wrong });
    expect(summarise([...cells, noisy]).falseAlarms).toEqual({
      iterations: 130,
      runs: 3,
      tier1: 1,
      tier2: 1,
      rules: { reward_drop: 1, kl_hard: 1 },
    });
  });
});

describe("health", () => {
  const points = (...values: number[]) => values.map((value, i) => ({ iteration: 28 + i, value }));

  it("is followed from the fault to the collapse", () => {
    const collapses = cell({
      fault: "lr-spike",
      interventions: "off",
      health: points(10, 99, 80, 55, 0, 0),
      goldCurve: points(0.9, 0.9, 0.9, 0.9, 0.2, 0.2, 0.2, 0.2, 0.2),
    });
    expect(summarise([collapses]).health).toEqual([
      { fault: "lr-spike", seed: 1, lowest: 55, collapsedAt: 32, fellAt: 31 },
    ]);
    const healthy = cell({ health: points(100, 70, 90), goldCurve: points(0.5, 0.6, 0.7) });
    expect(summarise([healthy]).health).toEqual([
      { fault: null, seed: 1, lowest: 70, collapsedAt: null, fellAt: null },
    ]);
  });
});

it("the gold score weighs checks by their samples and adds their errors as those of independent groups", () => {
  const sums = Array.from({ length: 300 }, (_, k) => ({ sums: k % 3 > 0 }));
  const brief = Array.from({ length: 100 }, (_, k) => ({ brief: k % 2 > 0 }));
  const prompts = (n: number) => Array.from({ length: n }, (_, k) => `prompt ${k}`);
  const [one, two] = [goldOf(sums, prompts(300)), goldOf(brief, prompts(100))];
  const found = goldOf([...sums, ...brief], prompts(400));
  expect(found.mean).toBeCloseTo((200 + 50) / 400);
  expect(found.samples).toBe(400);
  expect(found.high - found.mean).toBeCloseTo(
    Math.hypot(0.75 * (one.high - one.low), 0.25 * (two.high - two.low)) / 2,
    12,
  );
  // Half of the answers to one prompt each way say as much as independent ones; all alike say much less.
  const alike = goldOf(
    sums,
    sums.map((_, k) => `prompt ${k % 3}`),
  );
  expect(alike.high - alike.low).toBeGreaterThan(5 * (one.high - one.low));
});
