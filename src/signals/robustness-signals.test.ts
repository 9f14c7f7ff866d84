import { expect, it } from "vitest";
import { type Judged, robustnessSignals } from "./robustness-signals.ts";

const clean: Judged = {
  scores: [1, 3, 5],
  refusals: [false, false, true],
  verdicts: [{ sums: true }, { refuses: true }, {}],
};
const perturbed: Judged = {
  scores: [0, 3, 3],
  refusals: [true, false, true],
  verdicts: [{ sums: false }, { refuses: true }, {}],
};

it("is perturbed less clean, prompt by prompt", () => {
  const differences = (a: readonly number[], b: readonly number[]) =>
    a.reduce((total, x, i) => total + x - b[i]!, 0) / a.length;
  expect(robustnessSignals("typos", { clean, perturbed })).toEqual({
    "robustness/typos_score_change": expect.closeTo(differences([0, 3, 3], [1, 3, 5]), 12),
    "robustness/typos_refusal_change": expect.closeTo(differences([1, 0, 1], [0, 0, 1]), 12),
    "robustness/typos_gold_change": expect.closeTo(differences([0, 1], [1, 1]), 12),
  });
});

it("leaves out what was not judged", () => {
  const unjudged = { ...clean, scores: null, verdicts: [{}, {}, {}] };
  expect(robustnessSignals("case", { clean: unjudged, perturbed })).toEqual({
    "robustness/case_refusal_change": expect.closeTo(1 / 3, 12),
  });
});
