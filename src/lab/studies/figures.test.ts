/** The figures of docs/evidence.md against slow loops and by hand. */
import { describe, expect, it } from "vitest";
import { collapse, figures, type MeasuredRun, swing } from "./figures.ts";
import { valueError } from "./value-error.ts";

const points = (values: readonly number[], apart = 1) => values.map((value, i) => ({ iteration: apart * i, value }));

const runOf = (gold: Readonly<Record<string, number>>, series: MeasuredRun["series"] = {}): MeasuredRun => ({
  whole: { run: "r-1", figures: { reward: 0.5, ...gold }, shares: Object.keys(gold), stopped: null },
  series,
  states: null,
});

it("swing: the mean change of the second half in percent of its mean", () => {
  const values = [9, 0, 0.4, 0.5, 0.3, 0.6];
  let [changes, total, count] = [0, 0, 0];
  for (let i = 3; i < values.length; i++) {
    total += values[i]!;
    count++;
    if (i > 3) changes += Math.abs(values[i]! - values[i - 1]!);
  }
  expect(swing(points(values))).toBeCloseTo((100 * (changes / (count - 1))) / (total / count), 9);
  expect(swing(points([0.5, 0.5, 0.5, 0.5]))).toBe(0);
  expect(swing(points([0, 0, 0, 0]))).toBeNaN();
});

it("swing of independent draws is what docs/evidence.md says they swing by", () => {
  // Deterministic draws of a share: sums of N bits of a fixed sequence.
  const [N, p] = [64, 0.7];
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const draws = Array.from({ length: 8000 }, () => {
    let passed = 0;
    for (let i = 0; i < N; i++) if (uniform() < p) passed++;
    return passed / N;
  });
  expect(swing(points(draws))).toBeCloseTo(112.8 * Math.sqrt((1 - p) / (p * N)), 0);
});

describe("collapse", () => {
  const slow = (values: readonly number[]) => {
    for (let i = 2; i < values.length; i++) {
      const best = Math.max(...values.slice(0, i - 2));
      if ([i - 2, i - 1, i].every((k) => best > 0 && values[k]! < best / 2)) return 1;
    }
    return 0;
  };
  it.each([
    [[0.8, 0.9, 0.3, 0.2, 0.3, 0.9]],
    [[0.8, 0.9, 0.3, 0.2, 0.5, 0.2]],
    [[0.8, 0.9, 0.9, 0.9, 0.1, 0.1]],
    [[0.8, 0.9, 0.9, 0.1, 0.1, 0.1]],
    [[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]],
    [[0, 0, 0, 0]],
  ])("%j", (values) => {
    expect(collapse(points(values))).toBe(slow(values));
    // Measurements count, not the iterations between them.
    expect(collapse(points(values, 16))).toBe(slow(values));
  });
  it("is unknown without measurements", () => expect(collapse([])).toBeNaN());
});

it("gold, spread, speed, explained variance and the gap by hand", () => {
  const quarter = points([0, 0, 0, 0, 0, 0, 0.2, 0.4]);
  const one = runOf({ sums: 0.6, refuses: 0.8 }, { "gold/mean": quarter, "monitor/gold": points([0.2, 0.6]) });
  const arm = [one, runOf({ sums: 0.5, refuses: 0.5 }), runOf({ sums: 0.9, refuses: 0.9 })];
  expect(figures.gold.of(one)).toBeCloseTo(0.7, 12);
  expect(figures.spread.of(arm[1]!, arm)).toBeCloseTo(0.2, 12);
  expect(figures.speed.of(one)).toBeCloseTo(0.4, 12);
  expect(figures.gap.of(one)).toBeCloseTo(0.7 - 0.3, 12);
  expect(figures.kl.of(one)).toBeNaN();
  expect(figures.valueError.of(one)).toBeNaN();
  const explained = { "value/explained_variance_with_bias": quarter };
  expect(figures.explained.of(runOf({ a: 1 }, explained))).toBeCloseTo(0.3, 12);
});

it("the values' error: a slow loop, and without the noise of the continuations", () => {
  const states = [
    { value: 1, returns: [0, 2, 2, 0] },
    { value: 0.5, returns: [1, 0] },
  ];
  let total = 0;
  for (const { value, returns } of states) {
    let [sum, squares] = [0, 0];
    for (const one of returns) sum += one;
    for (const one of returns) squares += (one - sum / returns.length) ** 2;
    total += (value - sum / returns.length) ** 2 - squares / (returns.length - 1) / returns.length;
  }
  expect(valueError(states)).toBe(Math.sqrt(Math.max(0, total / states.length)));
  // A critic that is off by exactly 0.3, seen through coins: 4,000 states, 8 continuations each.
  let state = 7;
  const coin = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 < 0.4 ? 1 : 0;
  };
  const many = Array.from({ length: 4000 }, () => ({ value: 0.7, returns: Array.from({ length: 8 }, coin) }));
  expect(valueError(many)).toBeCloseTo(0.3, 2);
});
