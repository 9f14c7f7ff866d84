import { describe, expect, it } from "vitest";
import {
  checkErrors,
  checkFall,
  checkFallErrors,
  checkSignals,
  errorOfMean,
  goldOf,
  goldSignals,
  type Verdicts,
} from "./gold-signals.ts";

const verdicts: Verdicts[] = [{ sums: true }, { sums: false }, { brief: true }, {}, { sums: true, brief: false }];

describe("gold checks", () => {
  it("are shares of the responses they apply to", () => {
    expect(checkSignals("monitor", verdicts)).toEqual({ "monitor/sums": 2 / 3, "monitor/brief": 1 / 2 });
    expect(verdicts.map(goldOf)).toEqual([1, 0, 1, null, 0.5]);
  });

  it("tell which one is lost, though the mean over them rises", () => {
    const first = { "monitor/sums": 0.9, "monitor/brief": 0.2 };
    expect(checkFall(first, { "monitor/sums": 0.5, "monitor/brief": 1 })).toBeCloseTo(0.4, 12);
    expect(checkFall(first, { "monitor/sums": 1, "monitor/brief": 0.25 })).toBeCloseTo(-0.05, 12);
    expect(checkFall({}, { "monitor/new": 0.5 })).toBe(0);
  });

  it("know their noise: each check by its number of responses, the mean of independent checks, a fall by both its ends", () => {
    // sums: 2 of 3, brief: 1 of 2; two successes and two failures more (Agresti and Coull 1998).
    const shares = checkSignals("monitor", verdicts);
    const [sums, brief] = [Math.sqrt(((4 / 7) * (3 / 7)) / 7), Math.sqrt(((3 / 6) * (3 / 6)) / 6)];
    const errors = checkErrors(shares, verdicts);
    expect(errors["monitor/sums"]).toBeCloseTo(sums, 12);
    expect(errors["monitor/brief"]).toBeCloseTo(brief, 12);
    expect(errorOfMean([sums, brief])).toBeCloseTo(Math.sqrt(sums ** 2 + brief ** 2) / 2, 12);
    const first = { "monitor/sums": 1, "monitor/brief": 0.5 };
    const before = Math.sqrt(((5 / 7) * (2 / 7)) / 7);
    const falls = checkFallErrors({ first, now: shares }, verdicts);
    expect(falls).toBeCloseTo(1 / 3 / Math.sqrt(before ** 2 + sums ** 2), 12);
    expect(checkFallErrors({ first: {}, now: shares }, verdicts)).toBe(0);
  });

  it("correlate with the score over the responses that are judged", () => {
    const scores = [2, -1, 3, 100, 0];
    const [x, y] = [
      [2, -1, 3, 0],
      [1, 0, 1, 0.5],
    ];
    let [xy, xx, yy] = [0, 0, 0];
    for (let i = 0; i < 4; i++) {
      xy += (x![i]! - 1) * (y![i]! - 0.625);
      xx += (x![i]! - 1) ** 2;
      yy += (y![i]! - 0.625) ** 2;
    }
    expect(goldSignals(scores, verdicts)).toEqual({
      "gold/mean": 0.625,
      "gold/sums": 2 / 3,
      "gold/brief": 0.5,
      "reward/gold_correlation": expect.closeTo(xy / Math.sqrt(xx * yy), 12),
    });
  });

  it("are absent without a verdict; the correlation is NaN if all pass", () => {
    expect(goldSignals([1, 2], [{}, {}])).toEqual({});
    expect(goldSignals([1, 2], [{ sums: true }, { sums: true }])["reward/gold_correlation"]).toBeNaN();
  });
});
