/** Sequences a step: 64, 256 and 512, at equal samples and at equal steps. */
import type { Study } from "./study.ts";
import { samples, step } from "./tasks.ts";

/** As many steps as 512 sequences a step have, on fewer samples. */
const shorter = (sequences: number) => step(sequences, (samples / 512) * sequences);

export const batchStudy: Study = {
  name: "batch",
  title: "Sequences a step",
  seeds: 8,
  set: ["control.noise.every=8"],
  arms: [
    { name: "s64", set: step(64) },
    { name: "s256", set: step(256) },
    { name: "s512", set: step(512) },
    { name: "s64-steps", set: shorter(64) },
    { name: "s256-steps", set: shorter(256) },
  ],
  figures: ["gold", "reward", "spread", "swing", "policySwing", "collapse", "gradientVariance"],
  claims: [
    {
      id: "batch/variance",
      says: "the variance of a step's gradient falls with its sequences: 0.082 at 64, 0.014 at 512",
      predictions: [{ figure: "gradientVariance", of: "s512", than: "s64", is: "lower" }],
    },
    {
      id: "batch/final",
      says: "512 sequences a step end higher than 64 (0.38 against 0.18), at equal samples and at equal steps",
      predictions: [
        { figure: "reward", of: "s512", than: "s64", is: "higher" },
        { figure: "reward", of: "s512", than: "s64-steps", is: "higher" },
      ],
    },
    {
      id: "batch/spread",
      says: "512 sequences a step end closer together over seeds (±0.02 against ±0.12)",
      predictions: [
        { figure: "spread", of: "s512", than: "s64", is: "lower" },
        { figure: "spread", of: "s512", than: "s64-steps", is: "lower" },
      ],
    },
    {
      id: "batch/swing",
      says: "metrics swing by more than 10% with 64 sequences a step, and stay within 3% with 512",
      predictions: [{ figure: "swing", of: "s512", than: "s64", is: "lower" }],
    },
    {
      id: "batch/policy-swing",
      says: "not only the metrics, also the policy itself swings less with 512 sequences a step",
      predictions: [{ figure: "policySwing", of: "s512", than: "s64", is: "lower" }],
    },
  ],
};
