import { describe, expect, it } from "vitest";
import { random } from "../util/random.ts";
import { gradientNoise, noiseScale, normsOfMeans } from "./noise.ts";

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
    // One sequence has variance 4 per entry; the mean of 8 has half of one.
    expect(average("varianceOfMean")).toBeCloseTo(0.5, 1);
    expect(noiseScale(history)).toBeCloseTo(average("noise") / average("signal"), 9);
  });

  it("recovers the scale of token means over sequences of unequal length, as their own token counts do not", () => {
    // A sequence's gradient is its length times an advantage times a direction, as with an advantage for the whole response.
    const lengths = [1, 1, 1, 1, 2, 3, 8, 40];
    const direction = [0.6, 0.8];
    const [advantage, spread] = [0.1, 1];
    const [k, b] = [128, 2];
    const mean = (values: readonly number[]) => values.reduce((a, x) => a + x, 0) / values.length;
    const squaredNorm = (x: readonly number[]) => x.reduce((a, y) => a + y ** 2, 0);
    const stream = random("unequal lengths");
    const history: { ours: ReturnType<typeof gradientNoise>; own: ReturnType<typeof gradientNoise> }[] = [];
    for (let iteration = 0; iteration < 3000; iteration++) {
      const sequences = Array.from({ length: k * b }, () => {
        const length = stream.pick(lengths);
        const size = length * (advantage + spread * stream.normal());
        return { length, gradient: direction.map((x) => x * size) };
      });
      const tokens = (part: typeof sequences) => part.reduce((a, { length }) => a + length, 0);
      const partOf = (part: typeof sequences, count: number) =>
        direction.map((_, p) => part.reduce((a, { gradient }) => a + gradient[p]!, 0) / count);
      const micro = Array.from({ length: k }, (_, m) => sequences.slice(m * b, (m + 1) * b));
      const parts = micro.map((part) => squaredNorm(partOf(part, tokens(sequences))));
      const options = {
        meanSquaredNorm: squaredNorm(partOf(sequences, tokens(sequences))),
        ...{ sequencesPerMicroBatch: b, parameters: direction.length },
      };
      history.push({
        ours: gradientNoise({ ...options, squaredNorms: normsOfMeans(parts) }),
        own: gradientNoise({ ...options, squaredNorms: micro.map((part) => squaredNorm(partOf(part, tokens(part)))) }),
      });
    }
    // Of one sequence in the token mean, relative to the squared mean gradient: the trace of its covariance over the mean length squared.
    const truth = ((spread / advantage) ** 2 * mean(lengths.map((x) => x ** 2))) / mean(lengths) ** 2;
    expect(Math.round(truth)).toBe(414);
    const [ours, own] = [noiseScale(history.map((x) => x.ours))!, noiseScale(history.map((x) => x.own))!];
    expect(Math.abs(ours / truth - 1)).toBeLessThan(0.15);
    expect(own).toBeLessThan(truth / 3);
  });

  it("has the unbiased variance of the mean, entry by entry", () => {
    const { noise, micro, meanGradient } = draw([1, 2], 1, 7);
    let total = 0;
    for (const p of [0, 1]) for (const g of micro) total += (g[p]! - meanGradient[p]!) ** 2 / 3 / 4 / 2;
    expect(noise.varianceOfMean).toBeCloseTo(total, 12);
  });

  it("is not resolved if the signal is not positive, and needs two micro-batches", () => {
    expect(noiseScale([{ signal: -1, noise: 4 }])).toBeNull();
    expect(noiseScale([])).toBeNull();
    expect(() =>
      gradientNoise({ squaredNorms: [1], meanSquaredNorm: 1, sequencesPerMicroBatch: 1, parameters: 1 }),
    ).toThrow("at least 2 micro-batches, not 1");
  });
});
