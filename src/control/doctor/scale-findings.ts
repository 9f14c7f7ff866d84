/** The learning rates that fit a model's size. */

/** Rates are interpolated in log-log between these points, and constant beyond them. */
const points = [
  // Measured on the help desk, two cores: examples/helpdesk/pipeline.yaml.
  { parameters: 0.8e6, rate: 2e-4 },
  // The geometric middle of the published 1e-6 to 1e-5 above a billion parameters (docs/PPO.md, defaults).
  { parameters: 1e9, rate: Math.sqrt(1e-6 * 1e-5) },
] as const;

/** Half the width of a band as a factor: the published band is one decade wide, so all bands are. */
const halfBand = Math.sqrt(10);
/** docs/PPO.md, defaults: 5e-7 above 7 billion parameters. */
const lowestRate = { above: 7e9, rate: 5e-7 };

export interface RateBand {
  readonly low: number;
  readonly typical: number;
  readonly high: number;
}

/**
 * The policy's peak rates for PPO with Adam. The line between the two points passes through 1.1e-5 at GPT-2's 124 million parameters, where Ziegler
 * et al. 2019 and its reproduction (Huang et al. 2023) use 1e-5.
 */
export function rateBand({
  parameters,
  lora = false,
}: {
  readonly parameters: number;
  readonly lora?: boolean;
}): RateBand {
  if (lora) {
    const { low, typical, high } = rateBand({ parameters });
    return { low: adapterFactor * low, typical: adapterFactor * typical, high: adapterFactor * high };
  }

  const [small, large] = points;
  const place = Math.log(parameters / small.parameters) / Math.log(large.parameters / small.parameters);
  const typical = small.rate * (large.rate / small.rate) ** Math.min(1, Math.max(0, place));
  const low = parameters >= lowestRate.above ? lowestRate.rate : typical / halfBand;
  return { low, typical, high: typical * halfBand };
}

/** Tolerance by which a rate on the edge of a band counts as inside. */
export const rounding = 1 + 1e-9;

/** On which side of the band a rate is; null if it is within. */
export function besideBand(rate: number, { low, high }: RateBand): "above" | "below" | null {
  if (rate > high * rounding) return "above";
  return rate * rounding < low ? "below" : null;
}

/** How much higher the best rate of an adapter is than that of all weights (Schulman et al. 2025, LoRA Without Regret). */
const adapterFactor = 10;

/** The source of the band, in words. */
export const rateSource =
  "PPO.md, defaults: 1e-6 to 1e-5 above a billion parameters; 2e-4 measured at 0.8 million; between them log-log";
