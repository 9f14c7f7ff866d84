/** What the adaptive profile may steer, each by itself against none, and together; the critic's rate; lambda. */
import type { Study } from "./study.ts";
import { example } from "./tasks.ts";

/** The target is near the KL that runs without phases reach on their rollouts: docs/evidence.md, tasks and runs. */
const phases = ["ppo.clipSchedule=phases", "ppo.kl.target=0.3"];
const layers = "ppo.layerRates={embeddings: 0.4, head: 1}";
const slow = "ppo.slowCritic={decay: 0.995}";

/** Every right running result of a chain earns its share at its own token, in place of one reward at the end. Gold stays the last result. */
const steps = [
  `ppo.rewards=[{kind: function, path: ${JSON.stringify(example("arithmetic/steps.ts"))}, normalise: false}]`,
  "ppo.gold={kind: last_number}",
];

export const stagedStudy: Study = {
  name: "staged",
  title: "Schedules of the adaptive profile, the critic's rate, and lambda",
  seeds: 8,
  // Four steps an iteration: in the first of them every ratio is 1, and nothing is clipped.
  set: ["ppo.minibatches=2"],
  arms: [
    { name: "off", set: [] },
    { name: "phases", set: phases },
    // A rate at which the rule has something to do: docs/evidence.md, tasks and runs.
    { name: "hot", set: [], rate: 3 },
    { name: "hot-fallback", set: [], rate: 3, rules: ["kl_soft"] },
    { name: "layers", set: [layers] },
    { name: "slow", set: [slow] },
    { name: "together", set: [...phases, layers, slow], rules: ["kl_soft"] },
    { name: "critic10", set: [], criticRate: 1 },
    { name: "critic15", set: [], criticRate: 1.5 },
    { name: "critic100", set: [], criticRate: 10 },
    { name: "lambda80", set: ["ppo.lambda=0.8"] },
    { name: "lambda100", set: ["ppo.lambda=1"] },
    { name: "steps80", tasks: ["chains"], set: [...steps, "ppo.lambda=0.8"] },
    { name: "steps95", tasks: ["chains"], set: steps },
    { name: "steps100", tasks: ["chains"], set: [...steps, "ppo.lambda=1"] },
  ],
  figures: ["gold", "reward", "gap", "explained", "swing", "kl", "collapse"],
  claims: [
    {
      id: "staged/fallback",
      says: "at three times the rate, a rate that falls back on a high KL ends higher",
      predictions: [{ figure: "gold", of: "hot-fallback", than: "hot", is: "higher" }],
    },
    ...(["phases", "layers", "slow", "together"] as const).map((arm) => ({
      id: `staged/${arm}`,
      says: {
        phases: "a clip in three phases ends higher than a constant one",
        layers: "lower rates for embeddings generalise better: higher on held-out prompts",
        slow: "returns from a slow critic end higher",
        together: "all of them together end higher",
      }[arm],
      predictions: [{ figure: "gold" as const, of: arm, than: "off", is: "higher" as const }],
    })),
    {
      id: "staged/critic-slower",
      says: "a critic at 1.5 to 2 times the policy's rate explains more than one at the policy's rate",
      predictions: [
        { figure: "explained", of: "off", than: "critic10", is: "higher" },
        { figure: "explained", of: "critic15", than: "critic10", is: "higher" },
      ],
    },
    {
      id: "staged/critic-fast",
      says: "a critic at 10 times the policy's rate is no better than one at 2",
      predictions: [{ figure: "gold", of: "critic100", than: "off", is: "no higher", within: 0.02 }],
    },
    {
      id: "staged/lambda-late",
      says: "with one score at the end a high lambda is mostly noise: 0.95 ends higher than 1",
      predictions: [{ figure: "gold", of: "off", than: "lambda100", is: "higher" }],
    },
    {
      id: "staged/lambda-medium",
      says: "with one score a turn a medium lambda is enough: 0.8 ends as high as 0.95",
      predictions: [{ figure: "gold", of: "lambda80", than: "off", is: "no lower", within: 0.02 }],
    },
    {
      id: "staged/lambda-steps",
      says: "with a reward for each step a higher lambda is better: 1 ends higher than 0.8",
      predictions: [{ figure: "gold", of: "steps100", than: "steps80", is: "higher" }],
    },
  ],
};
