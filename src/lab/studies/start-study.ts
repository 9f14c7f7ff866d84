/** What PPO starts from, what it is held to, and how firmly. */
import type { Study } from "./study.ts";

export const startStudy: Study = {
  name: "start",
  title: "The starting policy, the reference and the KL coefficient",
  seeds: 8,
  set: ["ppo.kl.coef=0.05"],
  arms: [
    { name: "full", set: [] },
    { name: "half", set: [], policy: 0.5 },
    { name: "untrained", set: [], policy: 0 },
    { name: "wrong-reference", set: [], reference: 0 },
    { name: "no-reference", set: ["ppo.kl.coef=0"] },
    { name: "kl20", set: ["ppo.kl.coef=0.2"] },
    { name: "kl100", set: ["ppo.kl.coef=1"] },
  ],
  figures: ["gold", "reward", "kl", "collapse"],
  claims: [
    {
      id: "start/tuned",
      says: "PPO wants a policy that was fine-tuned: one that was not ends lower, one that was half as long in between",
      predictions: [
        { figure: "gold", of: "full", than: "untrained", is: "higher" },
        { figure: "gold", of: "full", than: "half", is: "higher" },
        { figure: "gold", of: "half", than: "untrained", is: "higher" },
      ],
    },
    {
      id: "start/reference",
      says: "a wrong reference ends lower than the right one",
      predictions: [{ figure: "gold", of: "wrong-reference", than: "full", is: "lower" }],
    },
    {
      id: "start/no-reference",
      says: "without a reference the policy drifts, and ends lower",
      predictions: [
        { figure: "kl", of: "no-reference", than: "full", is: "higher" },
        { figure: "gold", of: "no-reference", than: "full", is: "lower" },
      ],
    },
    {
      id: "start/coefficient",
      says: "0.05 to 0.2 is the range: 0.2 ends as high as 0.05, and 1 lower",
      predictions: [
        { figure: "gold", of: "kl20", than: "full", is: "no lower", within: 0.02 },
        { figure: "gold", of: "kl100", than: "full", is: "lower" },
      ],
    },
  ],
};
