import { describe, expect, it } from "vitest";
import { random } from "../util/random.ts";
import { gradientNoise, noiseScale } from "./noise.ts";

/** One iteration: k micro-batch gradients of b sequences, each sequence's gradient normal about the truth. */
function draw(truth: readonly number[], sd: number, seed: number) {
  const stream = random("noise", seed);
  const [k, b] = [4, 2];
  const micro = Array.from({ length: k }, () => {
    const sequences = Array.from({ length: b }, () => truth.map((g) => g + sd * stream.normal()));
    return truth.map((_, p) => sequences.reduce((sum, g) => sum + g[p]!, 0) / b);
  });
  const meanGradient = truth.map((_, p) => micro.reduce((sum, g) => sum + g[p]!, 0) / k);
  const squaredNorm = (g: number[]) => g.reduce((sum, x) => sum + x * x, 0);
  return {
    noise: gradientNoise({
      squaredNorms: micro.map(squaredNorm),
      meanSquaredNorm: squaredNorm(meanGradient),
      sequencesPerMicroBatch: b,
      parameters: truth.length,
    }),
    micro,
    meanGradient,
  };
}

describe("gradient noise", () => {
  it("recovers, averaged over iterations, the truth it was drawn from", () => {
    const truth = [0.5, -0.5, 1];
    const history = Array.from({ length: 4000 }, (_, seed) => draw(truth, 2, seed).noise);
    const average = (key: "signal" | "noise" | "varianceOfMean") =>
      history.reduce((sum, entry) => sum + entry[key], 0) / history.length;
    expect(average("signal")).toBeGreaterThan(1.35);
    expect(average("signal")).toBeLessThan(1.65);
    expect(average("noise")).toBeGreaterThan(11.6);
    expect(average("noise")).toBeLessThan(12.4);
    // One sequence has variance 4 an entry; the mean of 8 has half of one.
    expect(average("varianceOfMean")).toBeCloseTo(0.5, 1);
    expect(noiseScale(history)).toBeCloseTo(average("noise") / average("signal"), 9);
  });

  it("has the unbiased variance of the mean, entry by entry", () => {
    const { noise, micro, meanGradient } = draw([1, 2], 1, 7);
    let total = 0;
    for (const p of [0, 1]) for (const g of micro) total += (g[p]! - meanGradient[p]!) ** 2 / 3 / 4 / 2;
    expect(noise.varianceOfMean).toBeCloseTo(total, 12);
  });

  it("is not resolved where the signal is not positive, and needs two micro-batches", () => {
    expect(noiseScale([{ signal: -1, noise: 4 }])).toBeNull();
    expect(noiseScale([])).toBeNull();
    expect(() =>
      gradientNoise({ squaredNorms: [1], meanSquaredNorm: 1, sequencesPerMicroBatch: 1, parameters: 1 }),
    ).toThrow("at least 2 micro-batches, not 1");
  });
});
