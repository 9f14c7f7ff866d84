/** The clip range by itself, and coupled with sequences a step and rate as the doctor advises. */
import type { Study } from "./study.ts";
import { step } from "./tasks.ts";

const range = (clip: number) => [`ppo.clipLow=${clip}`, `ppo.clipHigh=${clip}`];

/** Twice each task's own. */
const twiceTheCoefficient = { desk: ["ppo.kl.coef=0.1"], chains: ["ppo.kl.coef=0.02"] };

export const clipStudy: Study = {
  name: "clip",
  title: "The clip range, by itself and with sequences and rate",
  seeds: 8,
  // Four steps an iteration: in the first of them every ratio is 1, and nothing is clipped.
  set: ["ppo.minibatches=2"],
  arms: [
    { name: "c10", set: range(0.1) },
    { name: "c20", set: range(0.2) },
    { name: "c30", set: range(0.3) },
    { name: "few", set: step(128) },
    { name: "few-wide", set: [...step(128), ...range(0.3)] },
    { name: "few-slow", set: step(128), on: twiceTheCoefficient, rate: 0.5 },
    { name: "many", set: step(512) },
    { name: "many-narrow", set: [...step(512), ...range(0.1)] },
    { name: "many-slow", set: step(512), rate: 0.5 },
  ],
  figures: ["gold", "reward", "kl", "swing", "collapse"],
  claims: [
    {
      id: "clip/loose",
      says: "0.3 is loose: it ends further from the reference and no higher than 0.2",
      predictions: [
        { figure: "kl", of: "c30", than: "c20", is: "higher" },
        { figure: "gold", of: "c30", than: "c20", is: "no higher", within: 0.02 },
      ],
    },
    {
      id: "clip/few-wide",
      says: "with half the sequences a step (64), a clip of 0.3 ends higher",
      predictions: [{ figure: "gold", of: "few-wide", than: "few", is: "higher" }],
    },
    {
      id: "clip/few-slow",
      says: "with half the sequences a step (64), half the rate and twice the KL coefficient end higher",
      predictions: [{ figure: "gold", of: "few-slow", than: "few", is: "higher" }],
    },
    {
      id: "clip/many-narrow",
      says: "with twice the sequences a step (256), a narrower clip ends higher",
      predictions: [{ figure: "gold", of: "many-narrow", than: "many", is: "higher" }],
    },
    {
      id: "clip/many-slow",
      says: "with twice the sequences a step (256), a lower rate ends higher",
      predictions: [{ figure: "gold", of: "many-slow", than: "many", is: "higher" }],
    },
  ],
};
