/** Known-good combinations of sequences per step, rate and clip: settings that worked together. */

export interface Corner {
  readonly name: string;
  readonly parameters: number;
  readonly sequencesPerStep: number;
  readonly learningRate: number;
  readonly clip: number;
  readonly epochs: number;
  readonly kl: string;
  readonly source: string;
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
    source: "measured: examples/helpdesk/pipeline.yaml",
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

/** The corner nearest in model size and in sequences per step, both by their logarithms: a decade of size counts as a doubling of sequences. */
export function nearestCorner(at: { readonly parameters: number; readonly sequencesPerStep: number }): Corner {
  const distance = ({ parameters, sequencesPerStep }: Corner) =>
    Math.abs(Math.log10(parameters / at.parameters)) + Math.abs(Math.log2(sequencesPerStep / at.sequencesPerStep));
  return corners.reduce((best, corner) => (distance(corner) < distance(best) ? corner : best));
}
