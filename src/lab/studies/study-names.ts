/** The studies' names with what they are about, for the command line: nothing that takes time to load. */
export const studyNames = {
  batch: "64, 256 and 512 sequences a step, at equal samples and at equal steps",
  schedule: "fixed hyperparameters with 512 sequences a step, against schedules of rate and KL coefficient with 128",
  "max-norm": "gradient clipping at none, 2, 1 and 0.5 under a rate at the edge: how often runs collapse",
  "value-clip": "the value clip and the value loss's weight: the critic's error against Monte Carlo values",
  clip: "clip ranges of 0.1, 0.2 and 0.3, by themselves and coupled with sequences and rate",
  staged: "phased clip, fallback of the rate, layer rates, slow critic, the critic's rate, lambda",
  start: "what PPO starts from, what it is held to, and how firmly",
  penalty: "PPO-Clip against PPO-Penalty with each controller",
} as const;

export type StudyName = keyof typeof studyNames;
