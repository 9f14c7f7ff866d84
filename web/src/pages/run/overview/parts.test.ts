// @vitest-environment happy-dom
/** Ranges, groups of charts, phases of time and settings as the Run view shows them. */
import { describe, expect, it, vi } from "vitest";
import type { SeriesAnswer } from "../../../../../src/types/page.ts";
import { hairlinesOf } from "./chart-groups.tsx";
import { groupsOf, keysOf } from "./charts.ts";
import { phasesOf } from "./phases.tsx";
import { historiesOf, stepsOf } from "./settings.tsx";
import { zoomed } from "./toolbar.tsx";
import { stateOfQuery } from "./view-state.ts";

vi.mock("../../../state/live.ts", () => ({}));

describe("zoomed", () => {
  const of = (from: number | undefined, to: number | undefined, it: number | null, factor: number) =>
    zoomed({ state: { from, to, it }, done: 100, factor });

  it("keeps to the newest, which the range then goes along with", () => {
    expect(of(undefined, undefined, null, 0.5)).toEqual({ from: 50, to: undefined });
  });
  it("keeps the chosen iteration where it is", () => {
    expect(of(20, 60, 30, 0.5)).toEqual({ from: 25, to: 45 });
  });
  it("goes out to all of it, and in to two iterations", () => {
    expect(of(30, 90, null, 2)).toBeNull();
    expect(of(30, 32, null, 0.5)).toEqual({ from: 30, to: 32 });
  });
});

it("an address that makes no sense is the usual view", () => {
  const state = stateOfQuery({ stage: "x", from: "-3", to: "abc", it: "1e9", smooth: "7", tier: "9", add: "a,,b" });
  expect(state).toMatchObject({ stage: null, from: undefined, to: undefined, it: null, smooth: 0.6, tier: null });
  expect(state.added).toEqual(["a", "b"]);
  expect(stateOfQuery({ from: "50", to: "20" }).to).toBeUndefined();
});

describe("groupsOf", () => {
  it("stands in causal order and leaves out what was not recorded", () => {
    const keys = ["time/total_s", "value/loss", "kl/ref_k3_token", "reward/score_mean"];
    const groups = groupsOf({ stage: "ppo", keys });
    expect(groups.map(({ id }) => id)).toEqual(["reward", "kl", "value", "time"]);
    expect(keysOf(groups[0]!.charts)).toEqual(["reward/score_mean", "reward/score_p5", "reward/score_p95"]);
  });
  it("has components if there are two, and the KL that is steered", () => {
    const two = ["reward/component/model_mean", "reward/component/brevity_mean"];
    const titles = (keys: string[]) =>
      groupsOf({ stage: "ppo", keys }).flatMap((one) => one.charts.map((c) => c.title));
    expect(titles(two)).toEqual(["Components"]);
    expect(titles(two.slice(0, 1))).toEqual([]);
    const steered = groupsOf({
      stage: "ppo",
      keys: ["settings/kl_target", "kl/ref_k1_sequence"],
      targetUnit: "sequence",
    });
    expect(steered[0]!.charts[0]).toMatchObject({ target: "settings/kl_target", unit: "k1, nats/sequence" });
  });
});

it("of two rules with one bound the more serious one's line is drawn", () => {
  const [chart] = groupsOf({ stage: "ppo", keys: ["clip/fraction"] })[0]!.charts;
  const bound = { signal: "clip/fraction", rule: "r", above: 0.3, below: null };
  const thresholds = [
    { ...bound, tier: 3 as const },
    { ...bound, tier: 1 as const },
    { ...bound, tier: 1 as const, signal: "other" },
  ];
  expect(hairlinesOf({ chart: chart!, thresholds, target: 0.1 })).toEqual([
    { value: 0.1, tier: null, says: "target 0.1" },
    { value: 0.3, tier: 1, says: "> 0.3" },
  ]);
});

it("phases add up to the whole, with what no phase has, longest first", () => {
  const one = (value: number, at = 7) => ({ width: 1, from: [at], mean: [value], nonFinite: [] });
  const series: SeriesAnswer["series"] = {
    "time/total_s": one(10),
    "time/update_s": one(6),
    "time/rollout_s": one(1),
    "time/noise_s": one(5, 6),
    "time/sampled_tokens_per_s": one(900),
    "kl/coef": one(0.05),
  };
  const { phases, seconds } = phasesOf(series, 7)!;
  expect(seconds).toBe(10);
  expect(phases.map(({ name, share }) => [name, share])).toEqual([
    ["update", 0.6],
    ["other", 0.3],
    ["rollout", 0.1],
  ]);
  expect(phasesOf(series, 8)).toBeNull();
});

it("a setting's history is what held: no repetitions; the last value up to the newest", () => {
  const row = (iteration: number, value: number) =>
    ({
      stage: "ppo",
      iteration,
      key: "ppo.learningRate",
      before: null,
      value,
      cause: "operator",
      seq: 1,
      attempt: 1,
      at: 0,
      of: 4,
    }) as const;
  const [history] = historiesOf([row(0, 1), row(5, 1), row(8, 4), row(8, 3)], "ppo");
  expect(history!.rows.map(({ value }) => value)).toEqual([1, 4, 3]);
  expect(history!.changes).toBe(2);
  // If rows are left out, it is still the full number.
  expect(historiesOf([row(0, 1), row(8, 3)], "ppo")[0]!.changes).toBe(3);
  const { from, mean } = stepsOf(history!.rows, 20);
  expect([from, mean]).toEqual([
    [0, 8, 20],
    [1, 3, 3],
  ]);
  expect(historiesOf([row(0, 1)], "sft")).toEqual([]);
});
