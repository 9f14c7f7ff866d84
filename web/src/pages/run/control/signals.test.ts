// @vitest-environment happy-dom
import { expect, it } from "vitest";
import type { IncidentEvidence } from "../../../../../src/types/alerts.ts";
import { hairlinesOf } from "./hairlines.ts";
import { columnFrom, signalsOf } from "./signals.ts";

it("puts the signal of the alert first and leaves out what was never measured", () => {
  const evidence = {
    alert: { signal: "step/odd" },
    iterations: [
      { iteration: 4, values: { "entropy/mean": 0.4, "reward/score_mean": 1 } },
      { iteration: 5, values: { "entropy/mean": "NaN", "step/odd": "Infinity" } },
    ],
  } as unknown as IncidentEvidence;
  expect(signalsOf(evidence).map(({ key }) => key)).toEqual(["step/odd", "reward/score_mean", "entropy/mean"]);
});

it("keeps what is not finite as a value, and a gap if nothing was measured", () => {
  const column = columnFrom([4, 5, 6, 7], [1, undefined, "NaN", "-Infinity"]);
  expect(column.from).toEqual([4, 6, 7]);
  expect(column.mean).toEqual([1, null, null]);
  expect([...column.nonFinite]).toEqual([
    [1, { count: 1, last: Number.NaN }],
    [2, { count: 1, last: Number.NEGATIVE_INFINITY }],
  ]);
});

it("draws a threshold only if it is on the plain value", () => {
  const rule = { tier: 1, above: 0.15, below: null, statistic: "value" } as Parameters<typeof hairlinesOf>[0][number];
  expect(hairlinesOf([rule, { ...rule, statistic: "ratio_to_median" }])).toEqual([
    { value: 0.15, tier: 1, says: "> 0.15" },
  ]);
});
