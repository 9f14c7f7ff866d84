/** Comparisons, words, and whether every study is one that can be run. */
import { describe, expect, it } from "vitest";
import { holm, paired } from "../paired.ts";
import { studies } from "./studies.ts";
import { runsOn, type Study } from "./study.ts";
import { studyCellNames, studyCells } from "./study-cells.ts";
import { studyNames } from "./study-names.ts";
import { compare, estimate, mcnemar, outcomeOf, summariseStudy, wordOf } from "./study-summary.ts";

const bySeed = (values: readonly number[]) => new Map(values.map((value, i) => [i + 1, value]));

describe("compares", () => {
  it("means by paired differences, seeds that both have", () => {
    const of = bySeed([3, 5, 4]);
    const than = bySeed([1, 2, 3, 100]);
    expect(compare({ kind: "mean" }, { of, than })).toEqual(paired([2, 3, 1]));
    expect(compare({ kind: "mean" }, { of: bySeed([1, Number.NaN]), than }).n).toBe(1);
  });

  it("logarithms by ratios", () => {
    const { mean } = compare({ kind: "log" }, { of: bySeed([1, 4]), than: bySeed([8, 8]) });
    expect(Math.exp(mean)).toBeCloseTo(Math.sqrt((1 / 8) * (1 / 2)), 12);
    expect(estimate({ kind: "log" }, [1, 4]).mean).toBeCloseTo(2, 12);
  });

  it("shares by McNemar's exact test: every sequence of fair coins, counted", () => {
    const slow = (a: number, b: number) => {
      const n = a + b;
      let extreme = 0;
      for (let bits = 0; bits < 2 ** n; bits++) {
        let heads = 0;
        for (let i = 0; i < n; i++) heads += (bits >> i) & 1;
        if (Math.abs(heads - n / 2) >= Math.abs(a - n / 2)) extreme++;
      }
      return extreme / 2 ** n;
    };
    for (const [a, b] of [
      [0, 0],
      [7, 0],
      [1, 6],
      [4, 4],
      [3, 9],
    ] as const)
      expect(mcnemar(a, b)).toBeCloseTo(slow(a, b), 12);
    const of = bySeed([0, 0, 0, 0, 0, 0, 0, 1]);
    const than = bySeed([1, 1, 1, 1, 1, 1, 1, 1]);
    expect(compare({ kind: "share" }, { of, than })).toMatchObject({ n: 8, mean: -7 / 8, p: 2 / 128 });
    expect(estimate({ kind: "share" }, [1, 0, 0, 0]).low).toBeGreaterThan(0);
  });
});

it("an outcome follows from p, sign and interval", () => {
  const at = (mean: number, half: number, adjusted: number) =>
    ({ n: 8, mean, low: mean - half, high: mean + half, p: adjusted, adjusted }) as const;
  expect(outcomeOf({ is: "higher" }, at(0.1, 0.05, 0.01))).toBe("holds");
  expect(outcomeOf({ is: "lower" }, at(0.1, 0.05, 0.01))).toBe("reversed");
  expect(outcomeOf({ is: "higher" }, at(0.1, 0.05, 0.2))).toBe("open");
  for (const [is, sign] of [
    ["no higher", 1],
    ["no lower", -1],
  ] as const) {
    expect(outcomeOf({ is, within: 0.02 }, at(0.005 * sign, 0.01, 0.01))).toBe("holds");
    expect(outcomeOf({ is, within: 0.02 }, at(0.1 * sign, 0.01, 0.01))).toBe("reversed");
    expect(outcomeOf({ is, within: 0.02 }, at(0, 0.1, 1))).toBe("open");
    // The other way by any distance.
    expect(outcomeOf({ is, within: 0.02 }, at(-0.1 * sign, 0.01, 0.001))).toBe("holds");
    expect(outcomeOf({ is, within: 0.02 }, at(-0.1 * sign, 0.3, 0.04))).toBe("open");
  }
});

it("a word follows from the outcomes", () => {
  const word = (...outcomes: ("holds" | "reversed" | "open" | "missing")[]) =>
    wordOf(
      { id: "a" },
      outcomes.map((outcome) => ({ claim: "a", outcome })),
    );
  expect(word("holds", "holds")).toBe("confirmed");
  expect(word("holds", "open")).toBe("not here");
  expect(word("holds", "reversed")).toBe("not here");
  expect(word("open", "reversed")).toBe("refuted");
  expect(word("open", "open")).toBe("not here");
  expect(word("holds", "missing")).toBe("not run yet");
  expect(word()).toBe("not run yet");
});

const small: Study = {
  ...{ name: "batch", title: "t", seeds: 2, set: [], figures: ["gold"] },
  arms: [
    { name: "a", set: [] },
    { name: "b", set: ["ppo.sequences=128"] },
  ],
  claims: [{ id: "b/gold", says: "s", predictions: [{ figure: "gold", of: "b", than: "a", is: "higher" }] }],
};

it("summarises what is done, corrects over the table, and says what is missing", () => {
  const plan = { study: small, arms: small.arms, tasks: ["desk", "chains"] as const, seeds: [1, 2] };
  const results = new Map<string, unknown>();
  const put = (task: "desk" | "chains", arm: string, seed: number, gold: number) => {
    const { run, series } = studyCellNames(task, arm, seed);
    results.set(run, { run: `${run}-1`, figures: { sums: gold }, shares: ["sums"], stopped: null });
    results.set(series, {});
  };
  for (const seed of [1, 2]) {
    put("desk", "a", seed, 0.5 + seed / 100);
    put("desk", "b", seed, 0.7 + seed / 90);
    put("chains", "a", seed, 0.2);
  }
  const { rows, tested, claims } = summariseStudy(plan, results);
  expect(rows.map(({ task, arm, runs }) => [task, arm, runs])).toEqual([
    ["desk", "a", 2],
    ["desk", "b", 2],
    ["chains", "a", 2],
    ["chains", "b", 0],
  ]);
  expect(rows[1]!.each).toEqual([
    { seed: 1, run: "desk-b-1-1", figures: { gold: 0.7 + 1 / 90 } },
    { seed: 2, run: "desk-b-2-1", figures: { gold: 0.7 + 2 / 90 } },
  ]);
  const differences = [1, 2].map((seed) => 0.7 + seed / 90 - (0.5 + seed / 100));
  expect(tested[0]!.comparison.mean).toBeCloseTo((differences[0]! + differences[1]!) / 2, 12);
  expect(tested[0]!.comparison.adjusted).toBe(holm([tested[0]!.comparison.p], { of: 2 })[0]);
  expect(tested.map(({ outcome }) => outcome)).toEqual(["holds", "missing"]);
  expect(claims).toEqual([{ id: "b/gold", says: "s", word: "not run yet" }]);
});

describe("an arm's settings", () => {
  const configOf = (name: string, arm: string) => {
    const study = studies.find((one) => one.name === name)!;
    const arms = study.arms.filter((one) => one.name === arm);
    const cells = studyCells({ study, arms, tasks: ["desk"], seeds: [7] });
    const run = cells.find((cell) => cell.work === "run")!;
    return { ...run.input, stages: cells.filter((cell) => cell.work === "stage").map(({ input }) => input) };
  };

  it("only the arm's rules act, and none in any other", () => {
    const { control } = configOf("staged", "hot-fallback").config;
    expect(control.interventions).toBe("on");
    expect(control.disable).not.toContain("kl_soft");
    expect(control.disable).toContain("kl_hard");
    expect(configOf("staged", "off").config.control.interventions).toBe("off");
  });

  it("rates are factors on the task's, and the critic's follows unless the arm says otherwise", () => {
    const { learningRate, criticLearningRate } = configOf("max-norm", "none").config.ppo!;
    expect(learningRate).toBeCloseTo(6e-3, 12);
    expect(criticLearningRate).toBeCloseTo(12e-3, 12);
    expect(configOf("staged", "critic100").config.ppo!.criticLearningRate).toBeCloseTo(3e-3, 12);
    expect(configOf("value-clip", "shared").config.ppo!.criticLearningRate).toBeUndefined();
  });

  it("equal samples and equal steps", () => {
    const of = (arm: string) => configOf("batch", arm).config.ppo!;
    expect(of("s64").iterations * 64).toBe(of("s512").iterations * 512);
    expect(of("s64-steps").iterations).toBe(of("s512").iterations);
  });

  it("a shorter SFT is a stage of its own, and the reward stays", () => {
    const { start, reference, stages } = configOf("start", "wrong-reference");
    const steps = stages.map(({ stage, config }) => [stage, config.sft?.steps]);
    expect(steps).toEqual([
      ["sft", 500],
      ["reward", undefined],
      ["sft", 1],
    ]);
    expect(reference).not.toBe(start.policy);
    expect(configOf("start", "half").start.reward).toBe(start.reward);
    expect(configOf("start", "half").start.policy).not.toBe(start.policy);
  });
});

describe.each(studies)("$name", (study) => {
  it("predicts from its own arms and figures, and every arm is a configuration of its own", () => {
    expect(studyNames).toHaveProperty([study.name]);
    const names = study.arms.map(({ name }) => name);
    for (const { predictions } of study.claims)
      for (const { of, than, figure, is, within } of predictions) {
        expect(names).toEqual(expect.arrayContaining([of, than]));
        const both = study.arms.filter(({ name }) => name === of || name === than);
        expect((["desk", "chains"] as const).some((task) => both.every((arm) => runsOn(task, arm)))).toBe(true);
        expect(study.figures).toContain(figure);
        expect(within !== undefined).toBe(is.startsWith("no "));
      }
    const cells = studyCells({ study, arms: study.arms, tasks: ["desk", "chains"], seeds: [1] });
    const runs = cells.filter(({ work }) => work === "run");
    const onBoth = study.arms.filter(({ tasks }) => tasks === undefined);
    expect(runs).toHaveLength(study.arms.length + onBoth.length);
    expect(new Set(runs.map(({ input, needs }) => JSON.stringify([input, needs]))).size).toBe(runs.length);
    expect(new Set(cells.map(({ name }) => name)).size).toBe(cells.length);
  });
});
