/** Known-good combinations of sequences per step, rate and clip: settings that worked together. */

export interface Corner {
  readonly name: string;
  readonly parameters: number;
  readonly sequencesPerStep: number;
  readonly learningRate: number;
  readonly clip: number;
  readonly epochs: number;
  readonly kl: string;
  /** Whether an adapter was trained in place of all weights. */
  readonly lora?: boolean;
  /** Where the combination was published, or the example that was measured. */
  readonly source: string;
  /** What a measured example gave, with its 95% interval, and on what hardware. */
  readonly measured?: { readonly hardware: string; readonly result: string };
}

/** The table of corners in docs/doctor.md. */
export const corners: readonly Corner[] = [
  {
    name: "the help desk",
    parameters: 0.8e6,
    sequencesPerStep: 128,
    learningRate: 2e-4,
    clip: 0.2,
    epochs: 2,
    kl: "0.05",
    source: "examples/helpdesk/pipeline.yaml",
    measured: { hardware: "AMD EPYC, 2 threads", result: "asked back +48.8 points [+42.8, +54.9]" },
  },
  {
    name: "the small help desk, an adapter",
    parameters: 0.11e6,
    sequencesPerStep: 64,
    learningRate: 2e-3,
    clip: 0.2,
    epochs: 2,
    kl: "0.05",
    lora: true,
    source: "examples/smollm/small.yaml",
    measured: {
      hardware: "AMD EPYC, 2 threads",
      result: "asked back +51.6 points [+41.0, +62.1], but sums right -14.1 [-23.2, -4.9]",
    },
  },
  {
    name: "the form of GSM8K's answers",
    parameters: 1.3e6,
    sequencesPerStep: 16,
    learningRate: 1e-4,
    clip: 0.2,
    epochs: 4,
    kl: "0.05",
    source: "examples/gsm8k/ppo.yaml",
    measured: {
      hardware: "AMD EPYC, 2 threads",
      result:
        "reward +0.06 [+0.03, +0.08] in 10 iterations with sft.data.limit and ppo.prompts.limit 3000, on 256 samples; right answers -0.4 points [-2.7, +1.9]",
    },
  },
  {
    name: "GPT-2 small on styles",
    parameters: 124e6,
    sequencesPerStep: 512,
    learningRate: 1e-5,
    clip: 0.2,
    epochs: 4,
    kl: "0.15, to 6 nats a sequence",
    source: "Ziegler et al. 2019; Huang et al. 2023, The N implementation details of RLHF with PPO",
  },
  {
    name: "Pythia on TL;DR",
    parameters: 2.8e9,
    sequencesPerStep: 512,
    learningRate: 3e-6,
    clip: 0.2,
    epochs: 4,
    kl: "0.05",
    source: "Huang et al. 2024, The N+ implementation details of RLHF with PPO (1 to 6.9 billion)",
  },
  {
    name: "Ballast's defaults",
    parameters: 1e9,
    sequencesPerStep: 512,
    learningRate: 1e-6,
    clip: 0.2,
    epochs: 4,
    kl: "0.05",
    source: "PPO.md, defaults",
  },
  {
    name: "above 7 billion",
    parameters: 7e9,
    sequencesPerStep: 256,
    learningRate: 5e-7,
    clip: 0.2,
    epochs: 4,
    kl: "0.05",
    source: "PPO.md, defaults; accumulated",
  },
];

/**
 * The corner nearest in model size and in sequences per step, both by their logarithms: a decade of size counts as a doubling of sequences, and so does
 * an adapter in place of all weights.
 */
export function nearestCorner(at: {
  readonly parameters: number;
  readonly sequencesPerStep: number;
  readonly lora: boolean;
}): Corner {
  const distance = ({ parameters, sequencesPerStep, lora = false }: Corner) =>
    Math.abs(Math.log10(parameters / at.parameters)) +
    Math.abs(Math.log2(sequencesPerStep / at.sequencesPerStep)) +
    Number(lora !== at.lora);
  return corners.reduce((best, corner) => (distance(corner) < distance(best) ? corner : best));
}

/** Where a corner comes from, in words; of a measured one also the result and the hardware. */
export function cornerSource({ source, measured }: Corner): string {
  return measured ? `measured: ${source} on ${measured.hardware}: ${measured.result}` : source;
}
