/** What the tables say of made-up runs whose answers are known. */
import { describe, expect, it } from "vitest";
import type { Judgement } from "../judge-work.ts";
import { returnTo, type Trial } from "../trial-work.ts";
import { readSuite, shippedSuite } from "./case-file.ts";
import { lostFrom, summariseStrangers } from "./strangers-summary.ts";

const suite = readSuite(shippedSuite);
const points = (values: Readonly<Record<number, number>>) =>
  Object.entries(values).map(([iteration, value]) => ({ iteration: Number(iteration), value }));

const trial = (gold: number, changes: Partial<Trial> = {}): Trial => ({
  ...{ run: "r", iterations: 32, alerts: [], acted: [], stopped: null, scoredAt: 32, health: [], goldCurve: [] },
  gold: { mean: gold, low: gold, high: gold, samples: 512 },
  curve: points({ 2: gold, 4: gold, 6: gold, 8: gold }),
  ...changes,
});
const judged = (changes: Partial<Judgement> = {}): Judgement => ({
  ...{ alerts: [], findings: [], acts: null, alone: {}, causes: [] },
  ...changes,
});
const alert = (rule: string, iteration: number, tier: 1 | 2 = 2) => ({ rule, tier, iteration, signal: "x" });

function summary(results: Readonly<Record<string, Trial | Judgement>>, names: readonly string[]) {
  const cases = suite.filter(({ name }) => names.includes(name));
  return summariseStrangers({ suite, cases, seeds: [5] }, new Map(Object.entries(results)));
}

describe("a fault", () => {
  const twin = { "healthy-dense-5-off": trial(0.8), "healthy-dense-5-judge": judged() };
  const names = ["critic-rate-0"];
  const off = trial(0.5, { curve: points({ 2: 0.8, 4: 0.7, 6: 0.7, 8: 0.7 }) });

  it("is caught in time by a rule that speaks before gold is lost, not by one that speaks after", () => {
    // Three measurements whose mean is 5 points lower: 0, 0.1, 0.1 at 2, 4, 6.
    const at = (iteration: number) =>
      summary(
        { ...twin, "critic-rate-0-5-off": off, "critic-rate-0-5-judge": judged({ alerts: [alert("a", iteration)] }) },
        names,
      ).faults[0]!.runs[0]!;
    expect(at(5)).toMatchObject({ after: 6, lostAfter: 6, inTime: true, by: "a" });
    expect(at(6)).toMatchObject({ after: 7, lostAfter: 6, inTime: false });
  });

  it("is found beforehand by what its twin does not have too", () => {
    const with_ = (own: string[], others: string[]) => {
      const found = (ids: string[]) => judged({ findings: ids.map((id) => ({ id, iteration: 0 })) });
      const results = { ...twin, "healthy-dense-5-judge": found(others), "critic-rate-0-5-off": off };
      return summary({ ...results, "critic-rate-0-5-judge": found(own) }, names).faults[0]!.runs[0]!;
    };
    expect(with_(["kl/starts_low", "critic/slow"], ["kl/starts_low"])).toMatchObject({ after: 0, by: "critic/slow" });
    expect(with_(["kl/starts_low"], ["kl/starts_low"])).toMatchObject({ after: null, by: null, inTime: false });
  });

  it("is worth the difference of its pair, as a temporary action or as a stop", () => {
    const judgement = judged({ alerts: [alert("a", 1)], acts: 1, causes: ["critic_rate_low", "clip_wide"] });
    const acted = { rule: "a", tier: 2 as const, action: "valueUpdates" as const, from: 1, until: 9 };
    const results = { ...twin, "critic-rate-0-5-off": off, "critic-rate-0-5-judge": judgement };
    const on = summary({ ...results, "critic-rate-0-5-on": trial(0.6, { acted: [acted] }) }, names);
    expect(on.faults[0]!.runs[0]).toMatchObject({ acted: "temporary", right: true, alone: { valueUpdates: 0.6 } });
    expect(on.faults[0]!.difference.mean).toBeCloseTo(0.1, 12);
    const stop = trial(0.7, { acted: [{ ...acted, action: "pause" }], stopped: { rule: "a", iteration: 1 } });
    expect(summary({ ...results, "critic-rate-0-5-on": stop }, names).faults[0]!.runs[0]!.acted).toBe("stopped");
    // Unfinished: no pair yet.
    expect(summary(results, names).faults[0]).toMatchObject({ runs: [{ on: null }], difference: { n: 0 } });
  });
});

it("false alarms are counted by kind and by rule, findings by run", () => {
  const findings = [
    { id: "batch/few_sequences", iteration: 0 },
    { id: "batch/few_sequences", iteration: 0 },
  ];
  const { healthy, rules } = summary(
    {
      "healthy-dense-5-off": trial(0.8),
      "healthy-dense-5-judge": judged({ alerts: [alert("a", 3), alert("a", 20), alert("b", 4, 1)], findings }),
      "critic-rate-0-5-off": trial(0.5),
      "critic-rate-0-5-judge": judged({ alerts: [alert("b", 2, 1), alert("a", 2), alert("c", 9)] }),
    },
    ["healthy-dense", "critic-rate-0"],
  );
  expect(healthy[0]).toMatchObject({
    tier1: 1,
    tier2: 2,
    rules: { a: 2, b: 1 },
    findings: { "batch/few_sequences": 1 },
  });
  expect(
    rules.map(({ rule, healthyAlerts, healthyRuns, faultRuns, first }) => [
      rule,
      healthyAlerts,
      healthyRuns,
      faultRuns,
      first,
    ]),
  ).toEqual([
    ["a", 2, 1, 1, 1],
    ["b", 1, 1, 1, 1],
    ["c", 0, 0, 1, 0],
  ]);
});

it("gold is lost with the third of three measurements whose mean is 5 points below, at the same iterations", () => {
  const healthy = points({ 2: 0.8, 4: 0.8, 6: 0.8, 8: 0.8 });
  expect(lostFrom(healthy, points({ 2: 0.8, 4: 0.72, 6: 0.72, 8: 0.72 }))).toBe(6);
  expect(lostFrom(healthy, points({ 2: 0.8, 4: 0.73, 6: 0.73, 8: 0.72 }))).toBe(8);
  expect(lostFrom(healthy, points({ 2: 0.76, 4: 0.76, 6: 0.76, 8: 0.76 }))).toBeNull();
  expect(lostFrom(healthy, points({ 3: 0, 5: 0, 7: 0 }))).toBeNull();
});

it("an operator goes back to the last healthy checkpoint, unless gold rose since by more than its error", () => {
  const errors = points({ 1: 0.03, 9: 0.04 });
  const to = (now: number) => returnTo({ before: 10, healthy: 2, measured: points({ 1: 0.6, 9: now }), errors });
  expect(to(0.6 + 0.0499)).toBe(2);
  expect(to(0.6 + 0.0501)).toBe(10);
  // The measurement of iteration 10 judges the update that the checkpoint 10 does not have.
  expect(returnTo({ before: 10, healthy: 2, measured: points({ 1: 0.6, 10: 0.9 }), errors })).toBe(2);
  expect(returnTo({ before: 10, healthy: 2, measured: [], errors: [] })).toBe(2);
});
