/** PPO's two losses: the clip, and the penalty on KL(old, new) with each of its controllers. */
import type { Study } from "./study.ts";

const penalty = "ppo.policyLoss=penalty";
/** What Spinning Up ends an update at is 0.015: 1.5 times this. */
const target = "ppo.penalty.target=0.01";
const preset = (name: string) => [penalty, target, "ppo.penalty.controller=step", `ppo.penalty.preset=${name}`];
const others = ["fixed", "schulman2017", "guide", "rllib", "bounded", "exponential", "ziegler"] as const;

export const penaltyStudy: Study = {
  name: "penalty",
  title: "PPO-Clip against PPO-Penalty, with each controller",
  seeds: 8,
  // Four steps an iteration: in the first of them every ratio is 1, and nothing is clipped.
  set: ["ppo.minibatches=2"],
  arms: [
    { name: "clip", set: [] },
    { name: "fixed", set: [penalty] },
    ...(["schulman2017", "guide", "rllib", "bounded"] as const).map((name) => ({ name, set: preset(name) })),
    { name: "exponential", set: [penalty, target, "ppo.penalty.controller=exponential"] },
    { name: "ziegler", set: [penalty, target, "ppo.penalty.controller=ziegler"] },
  ],
  figures: ["gold", "reward", "kl", "swing", "speed", "collapse"],
  claims: others.map((arm) => ({
    id: `penalty/${arm}`,
    says: `the clip ends higher than the penalty with ${arm === "fixed" ? "a fixed coefficient" : arm}`,
    predictions: [{ figure: "gold", of: "clip", than: arm, is: "higher" }],
  })),
};
