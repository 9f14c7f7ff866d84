/** Clipping of gradients under a rate at the edge. */
import type { Study } from "./study.ts";
import { samples, step } from "./tasks.ts";

export const maxNormStudy: Study = {
  name: "max-norm",
  title: "Clipping gradients under a rate at the edge",
  // A share of few runs has a wide interval: 0 of 20 is [0, 16%].
  seeds: 20,
  set: [...step(128, samples / 2)],
  // Chosen on seeds 101 to 104: docs/evidence.md, tasks and runs.
  rates: { desk: 20, chains: 6 },
  arms: [
    { name: "none", set: ["ppo.maxGradNorm=null"] },
    { name: "n20", set: ["ppo.maxGradNorm=2"] },
    { name: "n10", set: ["ppo.maxGradNorm=1"] },
    { name: "n05", set: ["ppo.maxGradNorm=0.5"] },
  ],
  figures: ["collapse", "speed", "gold"],
  claims: [
    {
      id: "max-norm/collapse",
      says: "collapses fall with the largest norm: 35% of runs without one, 12% at 2, 3% at 1, 0% at 0.5",
      // The two ends only: of 20 pairs, 7 against 0, the source's sizes, are then enough after the correction (p 0.031).
      predictions: [{ figure: "collapse", of: "n05", than: "none", is: "lower" }],
    },
  ],
};
