/** Rounds judged on synthetic records: each verdict, the interval that decides it, and the one change that follows. */
import { describe, expect, it } from "vitest";
import type { Evaluation } from "../../types/evaluation.ts";
import { judgeRound, type RoundRecord, said, widened } from "./judge-round.ts";
import { nextStep, type RoundSettings } from "./next-round.ts";

interface Given {
  readonly before: number;
  readonly after: number;
  /** Half the width of the difference's interval. */
  readonly half?: number;
  readonly greedy?: readonly [number, number];
}

function evaluationOf(figures: Readonly<Record<string, Given>>, more: Partial<Evaluation> = {}): Evaluation {
  const side = (which: "before" | "after") =>
    Object.fromEntries(
      Object.entries(figures).map(([name, { [which]: mean, greedy, half = 0.05 }]) => [
        name,
        {
          mean,
          low: mean - half,
          high: mean + half,
          n: 100,
          ...(greedy && { greedy: greedy[which === "before" ? 0 : 1] }),
        },
      ]),
    );
  const differences = Object.fromEntries(
    Object.entries(figures).map(([name, { before, after, half = 0.05 }]) => [
      name,
      { difference: after - before, low: after - before - half, high: after - before + half },
    ]),
  );
  return {
    ...{ objective: "prefer a over b", samples: 100, temperature: 1, seed: 1, transcripts: [], differences },
    shares: Object.keys(figures).filter((name) => !["reward", "length", "klK3Token"].includes(name)),
    before: { folder: "a", figures: side("before") },
    after: { folder: "b", figures: side("after") },
    ...more,
  };
}

const noSignals: RoundRecord["signals"] = {
  ...{ "safety/share": null, "response/repeat_agreement": null },
  ...{ "response/truncated_share": null, "response/repeated_4gram_share": null },
};

function recordOf(evaluation: Evaluation | null, more: Partial<RoundRecord> = {}): RoundRecord {
  const healthy = { failure: null, iterations: 50, likely: null, suspicions: [], signals: noSignals };
  return { stage: 1, evaluation, previous: null, independent: true, ...healthy, ...more };
}

const reward = { before: 0, after: 0.5 };
const verdictOf = (record: RoundRecord) => judgeRound(record).verdict;

describe("the verdict of a round", () => {
  it("moved only if the interval, widened for all measures together, excludes zero", () => {
    expect(verdictOf(recordOf(evaluationOf({ asksBack: { before: 0.3, after: 0.36 } })))).toBe("moved");
    // 6 points with a half-width of 5: beyond noise for one measure, not for two, whose quantile is 2.24 in place of 1.96.
    const two = evaluationOf({ asksBack: { before: 0.3, after: 0.355 }, brief: { before: 0.5, after: 0.5 } });
    expect(verdictOf(recordOf(two))).toBe("flat");
    expect(widened({ difference: 0, low: -1, high: 1 }, 1)).toEqual({ difference: 0, low: -1, high: 1 });
    expect(widened({ difference: 0, low: -1, high: 1 }, 5).high).toBeCloseTo(2.5758 / 1.96, 4);
    expect(widened({ difference: 0, low: -1, high: 1 }, 30).high).toBeGreaterThan(3.1438 / 1.96); // the quantile of 1 - 0.025 / 30
  });

  it("the reward judges only if no gold check does, and the reasons say that nothing independent was there", () => {
    const only = judgeRound(recordOf(evaluationOf({ reward }), { independent: false }));
    expect(only.verdict).toBe("moved");
    expect(only.measures.map(({ name }) => name)).toEqual(["reward"]);
    expect(only.reasons.at(-1)).toContain("only the reward itself says so");
    const few = judgeRound(recordOf(evaluationOf({ reward }, { distinctPrompts: 7 })));
    expect(few.reasons.at(-1)).toContain("asked 7 distinct prompts: under 30 its intervals are too narrow");
    const both = judgeRound(recordOf(evaluationOf({ reward, asksBack: { before: 0.3, after: 0.3 } })));
    expect([both.verdict, both.measures.map(({ name }) => name)]).toEqual(["flat", ["asksBack"]]);
  });

  it("suspects the reward if it rises while a check falls, and if the diagnosis does", () => {
    const gamed = judgeRound(recordOf(evaluationOf({ reward, sums: { before: 0.7, after: 0.4 } })));
    expect(gamed.verdict).toBe("suspect");
    expect(gamed.reasons[0]).toContain("sums right fell by -30.0 points [-35.0, -25.0]: it is being gamed");
    const smarter = recordOf(evaluationOf({ sums: { before: 0.3, after: 0.9 } }), { suspicions: ["gold jumps"] });
    expect(judgeRound(smarter)).toMatchObject({ verdict: "suspect", reasons: ["gold jumps"] });
  });

  it("worse if a check or safety does, lost against the round before, unproven on prompts that were trained on", () => {
    expect(verdictOf(recordOf(evaluationOf({ sums: { before: 0.7, after: 0.4 } })))).toBe("worse");
    const unsafe = { ...noSignals, "safety/share": { first: 0, last: 0.1 } };
    const up = evaluationOf({ asksBack: { before: 0.3, after: 0.6 } });
    expect(verdictOf(recordOf(up, { signals: unsafe }))).toBe("worse");
    expect(
      verdictOf(recordOf(up, { stage: 2, previous: evaluationOf({ asksBack: { before: 0.3, after: 0.9 } }) })),
    ).toBe("lost");
    expect(
      verdictOf(recordOf(up, { stage: 2, previous: evaluationOf({ asksBack: { before: 0.3, after: 0.63 } }) })),
    ).toBe("moved");
    const scaled = { stage: 2, previous: evaluationOf({ reward: { before: 0, after: 9 } }) } as const;
    expect(verdictOf(recordOf(evaluationOf({ reward }), scaled))).toBe("moved");
    expect(verdictOf(recordOf({ ...up, seenInTraining: true }))).toBe("unproven");
    expect(verdictOf(recordOf({ ...up, before: null, differences: {} }))).toBe("unproven");
    expect(verdictOf(recordOf(null))).toBe("unfinished");
  });

  it("shows consistency and caution in numbers", () => {
    const { signs } = judgeRound(
      recordOf(
        evaluationOf({
          asksBack: { before: 0.5, after: 0.9, greedy: [0.8, 0.95] },
          klK3Token: { before: 0, after: 0.2 },
        }),
        {
          signals: {
            ...noSignals,
            "response/repeat_agreement": { first: 0.4, last: 0.2 },
            "safety/share": { first: 0.1, last: 0.02 },
          },
        },
      ),
    );
    expect(signs).toEqual([
      "more consistent: sampled and greedy answers differ by 5.0% in asked back, before by 30.0%",
      "not more consistent: repeated samples agree in 20.0%, at first in 40.0%",
      "cautious: 2.0% unsafe responses, at first 10.0%",
      "away from the reference: 0.20 nats a token (healthy runs stay under 0.1, the alarm is at 0.5)",
    ]);
    expect(said({ difference: { difference: 0.3, low: 0.25, high: 0.35 }, share: false })).toBe("+0.30 [+0.25, +0.35]");
  });
});

const settings: RoundSettings = {
  ...{ rewards: [{ kind: "model", weight: 1 }], learningRate: 1e-5, band: { low: 1e-6, high: 5e-5 } },
  ...{ sequences: 512, minibatches: 1, iterations: 50, missingEosPenalty: 0, limited: false, constant: false },
};
const none = { prompts: false, evaluation: false };
const figures = (kl: number, length = 10) =>
  evaluationOf({
    asksBack: { before: 0.3, after: 0.6 },
    klK3Token: { before: 0, after: kl },
    length: { before: 10, after: length },
  });
const follows = (
  verdict: ReturnType<typeof verdictOf>,
  record: Partial<RoundRecord>,
  more: Partial<RoundSettings> = {},
  files = none,
) => nextStep(recordOf(figures(0.05), record), { verdict }, { settings: { ...settings, ...more }, files }).next;

describe("the round that follows", () => {
  it("round 1 again changes one setting, by what the record shows", () => {
    const change = (verdict: "flat" | "worse", kl: number, more: Partial<RoundSettings> = {}) =>
      follows(verdict, { evaluation: figures(kl) }, more)?.change;
    expect(change("flat", 0.001)).toEqual({ key: "ppo.learningRate", value: 5e-5 });
    expect(change("flat", 0.001, { band: null })).toEqual({ key: "ppo.learningRate", value: 1e-4 });
    expect(change("flat", 0.2)).toEqual({ key: "ppo.iterations", value: 100 });
    expect(change("flat", 0.2, { minibatches: 4 })).toEqual({ key: "ppo.sequences", value: 1024 });
    expect(change("flat", 0.2, { constant: true })).toBeUndefined();
    expect(change("worse", 0.2)).toEqual({ key: "ppo.learningRate", value: 1e-6 });
    expect(change("worse", 0.2, { learningRate: 1e-6 })).toEqual({ key: "ppo.sequences", value: 1024 });
  });

  it("the diagnosis comes before a guess: its setting, else its words; and few iterations ask for more of them", () => {
    const likely = { cause: "ppo.maxNewTokens is too short for the answers", remedy: "ppo.maxNewTokens=48 or more" };
    const evaluation = figures(0.001);
    for (const verdict of ["flat", "worse"] as const)
      expect(follows(verdict, { evaluation, likely, iterations: 3 })?.change).toEqual({
        ...{ key: "ppo.maxNewTokens", value: 48 },
      });
    const words = { cause: "the reward is too sparse", remedy: "easier prompts" };
    const said = nextStep(recordOf(evaluation, { likely: words }), { verdict: "flat" }, { settings, files: none });
    expect(said).toEqual({ next: null, advice: expect.stringContaining("the reward is too sparse") });
    expect(follows("flat", { evaluation, iterations: 3 }, { iterations: 3 })?.change).toEqual({
      ...{ key: "ppo.iterations", value: 20 },
    });
    expect(follows("worse", { evaluation, iterations: 15 }, { iterations: 15 })?.change).toEqual({
      ...{ key: "ppo.iterations", value: 30 },
    });
    expect(judgeRound(recordOf(null, { failure: { message: "no number", hint: null } }))).toMatchObject({
      ...{ verdict: "failed", reasons: ["no number"] },
    });
  });

  it("refines the reward by what the record asks for: cut-off answers, length, repetition, and only what is not there", () => {
    expect(follows("moved", {})).toMatchObject({
      stage: 2,
      subject: "reward",
      change: { value: { kind: "length", max: 15 }, add: true },
    });
    const cut = { ...noSignals, "response/truncated_share": { first: 0, last: 0.4 } };
    expect(follows("moved", { signals: cut })?.change).toEqual({ key: "ppo.missingEosPenalty", value: 0.5 });
    const repeats = { ...noSignals, "response/repeated_4gram_share": { first: 0, last: 0.4 } };
    expect(follows("moved", { signals: repeats })?.change).toMatchObject({ value: { kind: "repetition" } });
    const both = [
      { kind: "length", weight: 1 },
      { kind: "repetition", weight: 1 },
    ];
    expect(follows("moved", {}, { rewards: both })).toBeNull();
    expect(follows("suspect", { stage: 4 })).toMatchObject({ stage: 2, subject: "reward" });
  });

  it("wider data and a harder evaluation come from the operator's files, or from what a limit left out", () => {
    expect(follows("moved", { stage: 2 })).toBeNull();
    expect(follows("moved", { stage: 2 }, {}, { ...none, prompts: true })).toMatchObject({
      stage: 3,
      subject: "prompts",
      change: null,
    });
    expect(follows("moved", { stage: 2 }, { limited: true })?.change).toEqual({ key: "ppo.prompts.limit", value: 0 });
    expect(follows("flat", { stage: 3 })).toBeNull();
    expect(follows("moved", { stage: 3 })).toMatchObject({ stage: 4, subject: "evaluation" });
    expect(follows("moved", { stage: 4 })).toBeNull();
    expect(follows("unproven", { stage: 1 }, {}, { ...none, evaluation: true })).toMatchObject({
      stage: 1,
      subject: "evaluation",
    });
  });
});
