import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { mean, standardDeviation } from "../rl/index.ts";
import { CheckpointError } from "../util/errors.ts";
import { computeNormalisation, normalise, readNormalisation, writeNormalisation } from "./normalisation.ts";

it("brings scores to mean 0 and variance 1", () => {
  const scores = fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { minLength: 2, maxLength: 50 });
  fc.assert(
    fc.property(scores, (raw) => {
      fc.pre(standardDeviation(raw) > 1e-3);
      const { normalisation, warning } = computeNormalisation(raw);
      const normal = raw.map((score) => normalise(score, normalisation));
      expect(mean(normal)).toBeCloseTo(0, 6);
      expect(standardDeviation(normal)).toBeCloseTo(1, 6);
      expect(warning).toBeNull();
    }),
  );
});

it("keeps the scale of scores that do not vary, and says so", () => {
  for (const score of [0, 0.1, -3e4]) {
    const { normalisation, warning } = computeNormalisation(Array(7).fill(score));
    expect(normalisation.standardDeviation).toBe(1);
    expect(normalise(score + 2, normalisation)).toBeCloseTo(2, 6);
    expect(warning).toContain("the reward model gives all 7 samples the same score");
  }
});

it("leaves scores as they are without samples", () => {
  const { normalisation } = computeNormalisation([], { trainingScores: [-1, 3] });
  expect(normalisation).toMatchObject({ mean: 0, standardDeviation: 1, samples: 0 });
  expect(normalise(5, normalisation)).toBe(5);
  expect(normalise(5, null)).toBe(5);
});

it("keeps the range of the training scores", () => {
  const { normalisation } = computeNormalisation([5, 6], { trainingScores: [...Array(101).keys()] });
  expect([normalisation.trainingP1, normalisation.trainingP99]).toEqual([1, 99]);
});

it("refuses scores that are not finite", () => {
  expect(() => computeNormalisation([1, Number.NaN, Infinity])).toThrow(
    "2 of 3 scores of the reward model are not finite",
  );
});

it("is written beside the model and read back; a damaged file is an error", () => {
  const folder = mkdtempSync(join(tmpdir(), "ballast-reward-"));
  try {
    expect(readNormalisation(folder)).toBeNull();
    const { normalisation } = computeNormalisation([0.1, 0.2, 1 / 3]);
    writeNormalisation(folder, normalisation);
    expect(readNormalisation(folder)).toEqual(normalisation);
    writeFileSync(join(folder, "reward.json"), '{"mean": 1');
    expect(() => readNormalisation(folder)).toThrow(CheckpointError);
    writeFileSync(join(folder, "reward.json"), '{"mean": 1, "standardDeviation": 0, "samples": 3}');
    expect(() => readNormalisation(folder)).toThrow(/is damaged: [\s\S]*standardDeviation/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
