/** A sweep's cells share equal stages, and its rows have Student's intervals over seeds and differences paired by seed. */
import { expect, it } from "vitest";
import { parseConfig } from "../../config/index.ts";
import type { WholeRun } from "../run-work.ts";
import { type SweepRun, summariseSweep, sweepCells } from "./sweep-cells.ts";

const runOf = (rate: string, seed: string): SweepRun => ({
  cell: `rate-${rate}-seed-${seed}`,
  values: { "ppo.learningRate": rate, seed },
  config: parseConfig(`demo: {}\nsft: {}\nreward: {}\nseed: ${seed}\nppo: {learningRate: ${rate}}\n`, "a.yaml").config,
});
const runs = ["1", "2", "3"].flatMap((seed) => [runOf("1e-5", seed), runOf("3e-5", seed)]);

it("trains equal stages once for each seed, and the rest by itself with one thread", () => {
  const cells = sweepCells(runs);
  expect(cells.filter(({ work }) => work === "stage")).toHaveLength(6);
  const [first, second] = cells.filter(({ work }) => work === "run");
  expect(first!.needs).toHaveLength(2);
  expect(second!.needs).toEqual(first!.needs);
  expect(first!.input).toMatchObject({
    files: expect.stringMatching(/^[0-9a-f]{64}$/),
    config: { threads: 1, ppo: { learningRate: 1e-5 } },
  });
});

it("gives means with their intervals, and differences on the same seeds; what is missing is left out", () => {
  const score = (figure: number, stopped: string | null = null): WholeRun => ({
    ...{ run: "r-1", figures: { reward: figure }, shares: [], stopped },
  });
  const results = new Map<string, unknown>([
    ["rate-1e-5-seed-1", score(1)],
    ["rate-1e-5-seed-2", score(2)],
    ["rate-1e-5-seed-3", score(3)],
    ["rate-3e-5-seed-1", score(1.5)],
    ["rate-3e-5-seed-2", score(3.5, "kl_stop")],
  ]);
  const [first, second] = summariseSweep(runs, results);
  // Student's t at 0.975 with 2 degrees of freedom is 4.3027, with 1 it is 12.7062.
  const half = (4.302652729911275 * 1) / Math.sqrt(3);
  expect(first).toMatchObject({ values: { "ppo.learningRate": "1e-5" }, runs: 3, stopped: 0 });
  expect(first!.figures.reward!.mean).toBe(2);
  expect(first!.figures.reward!.high).toBeCloseTo(2 + half, 9);
  expect(first!.differences).toBeUndefined();
  expect(second).toMatchObject({ runs: 2, stopped: 1, differences: { reward: { n: 2, mean: 1 } } });
  expect(second!.differences!.reward!.low).toBeCloseTo(1 - (12.706204736174694 * Math.SQRT1_2) / Math.SQRT2, 9);
});
