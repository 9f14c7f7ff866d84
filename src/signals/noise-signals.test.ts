import { describe, expect, it } from "vitest";
import { mean, variance } from "../rl/statistics.ts";
import { random } from "../util/random.ts";
import { drawSignals, noiseSignals, noiseWindow } from "./noise-signals.ts";

/** k mean gradients of b sequences each, around `center`, with a standard deviation of `spread` per entry and sequence. */
function draws({ k, b, center, spread }: { k: number; b: number; center: number[]; spread: number }, seed: number) {
  const stream = random("noise", seed);
  return Array.from({ length: k }, () => {
    const sequences = Array.from({ length: b }, () => center.map((c) => c + spread * stream.normal()));
    return center.map((_, i) => mean(sequences.map((sequence) => sequence[i]!)));
  });
}
const squared = (gradient: readonly number[]) => gradient.reduce((total, g) => total + g * g, 0);
const measured = (gradients: number[][], b: number) => ({
  squaredNorms: gradients.map(squared),
  meanSquaredNorm: squared(gradients[0]!.map((_, i) => mean(gradients.map((gradient) => gradient[i]!)))),
  sequencesPerMicroBatch: b,
  parameters: gradients[0]!.length,
});

describe("the guide's estimate", () => {
  it("is the mean over entries of their variance over draws", () => {
    const gradients = draws({ k: 10, b: 4, center: [1, -2, 0.5], spread: 3 }, 1);
    const slow = mean(
      [0, 1, 2].map((i) =>
        variance(
          gradients.map((g) => g[i]!),
          { unbiased: true },
        ),
      ),
    );
    expect(drawSignals(measured(gradients, 4))).toEqual({
      "gradient/draw_variance": expect.closeTo(slow, 12),
      "gradient/draws": 10,
      "gradient/draw_sequences": 4,
    });
  });
});

describe("the noise scale", () => {
  it("is the trace of a sequence's covariance over the squared true gradient, from averages of both", () => {
    // Trace 3 * 4 = 12, squared norm 3: 4 sequences.
    let history = noiseSignals(measured(draws({ k: 8, b: 4, center: [1, 1, 1], spread: 2 }, 0), 4), []).history;
    const seen = [history[0]!];
    let signals = {} as Record<string, number>;
    for (let i = 1; i < noiseWindow + 5; i++) {
      const next = noiseSignals(measured(draws({ k: 8, b: 4, center: [1, 1, 1], spread: 2 }, i), 4), history);
      ({ signals, history } = next);
      seen.push(history.at(-1)!);
    }
    const last = seen.slice(-noiseWindow);
    expect(history).toEqual(last);
    const slow = mean(last.map(({ noise }) => noise)) / mean(last.map(({ signal }) => signal));
    expect(signals["gradient/noise_scale"]).toBeCloseTo(slow, 12);
    expect(Math.abs(slow - 4)).toBeLessThan(1.5);
    expect(signals["gradient/suggested_sequences"]).toBe(Math.ceil(slow));
    expect(signals["gradient/noise_resolved"]).toBe(1);
    // For one entry of the mean of all 32 sequences.
    expect(signals["gradient/variance_of_mean"]).toBeCloseTo(signals["gradient/noise_trace"]! / 32 / 3, 12);
  });

  it("is absent if the signal is lost in the noise, and says so", () => {
    const options = { squaredNorms: [4, 4], meanSquaredNorm: 1, sequencesPerMicroBatch: 2, parameters: 3 };
    const { signals, history } = noiseSignals(options, []);
    expect(signals).toMatchObject({
      "gradient/noise_resolved": 0,
      "gradient/noise_signal": -2,
      "gradient/noise_trace": 12,
    });
    expect(Object.keys(signals).filter((key) => /scale|suggested/.test(key))).toEqual([]);
    expect(history).toHaveLength(1);
  });

  it("shows a measurement that is not finite, and keeps it out of the averages", () => {
    const options = { squaredNorms: [Number.NaN, 4], meanSquaredNorm: 1, sequencesPerMicroBatch: 2, parameters: 3 };
    const before = [{ signal: 2, noise: 6 }];
    const { signals, history } = noiseSignals(options, before);
    expect(signals["gradient/noise_signal"]).toBeNaN();
    expect(signals["gradient/noise_scale"]).toBe(3);
    expect(history).toEqual(before);
  });
});
