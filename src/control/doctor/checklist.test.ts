import { describe, expect, it } from "vitest";
import type { RunHistory } from "../diagnosis/diagnosis-history.ts";
import { type ChecklistOptions, checklist } from "./checklist.ts";

const settings = { sequences: 512, minibatches: 1, maxGradNorm: 1, temperature: 1 };
const series = (value: (iteration: number) => number, { every = 1, done = 80 } = {}) =>
  Array.from({ length: done }, (_, iteration) => ({ iteration, value: value(iteration) })).filter(
    ({ iteration }) => iteration % every === 0,
  );
/** A healthy run of 80 iterations. */
const healthy: RunHistory = {
  "entropy/mean": series((i) => (i < 10 ? 1.8 : i < 40 ? 1.2 : 1)),
  "entropy/ratio_to_first": series((i) => (i < 10 ? 0.9 : i < 40 ? 0.6 : 0.5)),
  "kl/ref_k3_token": series((i) => 0.001 * i),
  "value/loss": series((i) => 1 / (1 + i)),
  "reward/score_mean": series((i) => Math.min(2, 0.05 * i) + 0.02 * (i % 2)),
  "reward/score_std": series(() => 1),
  "reward/score_p5": series(() => -2),
  "reward/score_p95": series(() => 2),
  "monitor/gold": series((i) => i / 100, { every: 10 }),
};
const options: ChecklistOptions = { history: healthy, done: 80, iterations: 80, settings, entropyScale: "absolute" };
const states = (change: Partial<ChecklistOptions>) =>
  Object.fromEntries(
    checklist({ ...options, ...change }).flatMap(({ name, checks }) =>
      checks.map(({ check, state }) => [`${name}: ${check.split(" ").slice(0, 3).join(" ")}`, state]),
    ),
  );

it("a run that goes as it should ticks every box, on both entropy scales", () => {
  for (const entropyScale of ["absolute", "relative"] as const)
    expect(new Set(Object.values(states({ entropyScale }))), entropyScale).toEqual(new Set(["ok"]));
});

it("shows the phases that were reached, the last as the one it is in", () => {
  const phases = (done: number) =>
    checklist({ ...options, done }).map(
      ({ name, from, to, current }) => `${name} ${from}-${to}${current ? " here" : ""}`,
    );
  expect(phases(0)).toEqual(["before 0-0 here"]);
  expect(phases(10)).toEqual(["before 0-0", "first eighth 0-10 here"]);
  expect(phases(11).at(-1)).toBe("until half-way 10-40 here");
  expect(phases(41).at(-1)).toBe("the rest 40-80 here");
  expect(checklist({ ...options, iterations: 1, done: 1 }).at(-1)?.name).toBe("first eighth");
});

it("what was not recorded is unknown", () => {
  const found = states({ history: {} });
  expect(new Set(Object.entries(found).map(([check, state]) => (check.startsWith("before") ? "ok" : state)))).toEqual(
    new Set(["ok", "unknown"]),
  );
});

describe("a box that is not ticked", () => {
  const change = (key: string, value: (iteration: number) => number, more: RunHistory = {}) => ({
    history: { ...healthy, ...more, [key]: series(value) },
  });
  it.each<[string, Partial<ChecklistOptions>]>([
    ["before: at least 256", { settings: { ...settings, minibatches: 3 } }],
    ["before: accumulation divides evenly", { settings: { ...settings, minibatches: 3 } }],
    ["before: gradients are clipped", { settings: { ...settings, maxGradNorm: null } }],
    ["first eighth: entropy 1.5 to", change("entropy/mean", () => 1.49)],
    ["first eighth: entropy 1.5 to", change("entropy/mean", () => 2.01)],
    ["first eighth: entropy 0.75 to", { entropyScale: "relative", ...change("entropy/ratio_to_first", () => 0.74) }],
    ["first eighth: KL to the", change("kl/ref_k3_token", (i) => (i === 4 ? 0.1 : 0))],
    ["first eighth: the value loss", change("value/loss", (i) => i)],
    ["first eighth: the reward goes", change("reward/score_mean", (i) => -i)],
    ["first eighth: its swings are", change("reward/score_mean", (i) => 0.1 * i + 0.3 * (i % 2))],
    ["until half-way: the reward's slope", change("reward/score_mean", (i) => -i / 10)],
    ["until half-way: no jumps", change("reward/score_mean", (i) => (i < 20 ? 0 : 0.31))],
    ["until half-way: the evaluation rises", change("monitor/gold", (i) => -i)],
    ["the rest: KL to the", change("kl/ref_k3_token", (i) => (i === 70 ? 0.2 : 0))],
    ["the rest: the curves are", change("reward/score_mean", (i) => i / 100)],
    ["the rest: stop when the", change("monitor/gold", (i) => Math.min(i, 76))],
  ])("%s", (check, wrong) => {
    expect(states(wrong)[check]).toBe("not ok");
  });

  it("scores within [0, 1] are their own unit", () => {
    const within = {
      "reward/score_p5": series(() => 0),
      "reward/score_p95": series(() => 1),
      "reward/score_std": series(() => 0.1),
    };
    const jump = (value: number) =>
      states(change("reward/score_mean", (i) => (i < 20 ? 0 : value), within))["until half-way: no jumps"];
    expect([jump(0.29), jump(0.31)]).toEqual(["ok", "not ok"]);
  });
});
