/** Signals of the gradient's noise, from one measurement and the earlier ones. */

import { type GradientNoise, gradientNoise, type NoiseOptions, noiseScale } from "../rl/noise.ts";
import type { Signals } from "./signal-values.ts";

/** What later measurements need from earlier ones. */
export type NoiseHistory = readonly Pick<GradientNoise, "signal" | "noise">[];

/** Number of measurements that the noise scale is averaged over, including the present one. */
export const noiseWindow = 10;

/**
 * The noise signals of one measurement. `history` holds earlier measurements, oldest first; the returned history adds the present one if it
 * is finite.
 */
export function noiseSignals(
  measured: NoiseOptions,
  history: NoiseHistory,
): { readonly signals: Signals; readonly history: NoiseHistory } {
  const { signal, noise, varianceOfMean } = gradientNoise(measured);
  const finite = Number.isFinite(signal) && Number.isFinite(noise);
  const recent = [...history, ...(finite ? [{ signal, noise }] : [])].slice(-noiseWindow);
  const scale = noiseScale(recent);
  return {
    history: recent,
    signals: {
      "gradient/noise_signal": signal,
      "gradient/noise_trace": noise,
      "gradient/variance_of_mean": varianceOfMean,
      "gradient/noise_resolved": Number(scale !== null),
      ...(scale !== null && {
        "gradient/noise_scale": scale,
        "gradient/suggested_sequences": Math.max(1, Math.ceil(scale)),
      }),
    },
  };
}

/** Direct estimate of the gradient's variance: the unbiased variance of each entry over k draws, averaged over the entries. */
export function drawSignals(measured: NoiseOptions): Signals {
  const { squaredNorms, sequencesPerMicroBatch, parameters } = measured;
  return {
    "gradient/draw_variance": gradientNoise(measured).noise / sequencesPerMicroBatch / parameters,
    "gradient/draws": squaredNorms.length,
    "gradient/draw_sequences": sequencesPerMicroBatch,
  };
}
