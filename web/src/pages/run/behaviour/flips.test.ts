/** Changed answers, flipped verdicts, and where reward and gold diverge. */
import { describe, expect, it } from "vitest";
import type { AnswerPair, BehaviourPoint, PageSaid } from "../../../../../src/types/page.ts";
import { filtered, flipsOf } from "./flips.ts";
import { partings } from "./parting.ts";

const said = (response: string, verdicts: PageSaid["verdicts"] = {}): PageSaid => ({ response, score: 0, verdicts });
const pair = (index: number, a: PageSaid | null, b: PageSaid | null): AnswerPair => ({
  index,
  kind: null,
  prompt: "p",
  a,
  b,
});

describe("answers at two points", () => {
  const rows = [
    pair(0, said("x", { sums: true, brief: false }), said("y", { sums: false, brief: true })),
    pair(1, said("x", { sums: true }), said("x", { sums: true })),
    pair(2, null, said("z", { sums: true })),
    pair(3, said("x", { brief: true }), said("x y", { brief: true })),
  ];
  const found = (only: "" | "changed" | "right" | "wrong", check = "") =>
    filtered(rows, { only, check }).map(({ index }) => index);

  it("flips of what both sides were judged on, by check", () => {
    expect(flipsOf(rows[0]!)).toEqual({ right: ["brief"], wrong: ["sums"] });
    expect(flipsOf(rows[0]!, "sums")).toEqual({ right: [], wrong: ["sums"] });
    expect(flipsOf(rows[2]!)).toEqual({ right: [], wrong: [] });
  });

  it("are filtered by what became of them and by check", () => {
    expect(found("")).toEqual([0, 1, 2, 3]);
    expect(found("changed")).toEqual([0, 2, 3]);
    expect([found("right"), found("right", "sums"), found("wrong", "sums")]).toEqual([[0], [], [0]]);
    expect(found("changed", "brief")).toEqual([0, 3]);
  });
});

describe("partings", () => {
  const point = (iteration: number, gold: number | null, score: BehaviourPoint["score"]): BehaviourPoint => ({
    iteration,
    checks: {},
    gold: gold === null ? null : { mean: gold, low: gold - 0.1, high: gold + 0.1, n: 10 },
    score,
    kl: 0,
    changed: null,
    consistency: null,
  });

  const found = (points: BehaviourPoint[]) =>
    partings(points).map(({ check, iteration, best }) => [check, iteration, best]);

  it("are where the whole interval is below that of the best point, and the score above what it was there", () => {
    const points = [point(0, 0.5, 0), point(10, 0.9, 1), point(20, 0.75, 2), point(30, 0.6, 3), point(40, 0.5, 0.5)];
    expect(found(points)).toEqual([[null, 30, 10]]);
  });

  it("show a check that is given up for the others, which their mean hides", () => {
    const of = (iteration: number, sums: number) => ({
      ...point(iteration, 0.7, iteration),
      checks: { sums: { mean: sums, low: sums - 0.1, high: sums + 0.1, n: 32 } },
    });
    expect(found([of(0, 0.7), of(10, 0.6), of(20, 0.3)])).toEqual([["sums", 20, 0]]);
  });

  it("need both numbers, finite", () => {
    expect(found([point(0, 0.9, 1), point(10, null, 2), point(20, 0.2, "NaN"), point(30, 0.2, null)])).toEqual([]);
    expect(found([point(0, 0.9, 1), point(10, 0.2, "Infinity")])).toEqual([[null, 10, 0]]);
  });
});
