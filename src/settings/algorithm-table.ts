/**
 * The table of the online stage's algorithms: the settings of the section `ppo` that each does not use, the signals that it does not have, and its own
 * defaults. What the algorithm NAME does is in `algorithms/NAME.ts`; everything else that knows the name derives from its row here.
 */

export interface AlgorithmSettings {
  /** Settings that the algorithm does not use, in a list under each reason; giving one is a mistake. */
  readonly lacks: Readonly<Record<string, readonly string[]>>;
  /** Prefixes of metrics that it does not have; rules on them are inactive. */
  readonly absent: readonly string[];
  /** Whether responses to the same prompt are compared with each other: then there must be at least 2. */
  readonly groups: boolean;
  /** Defaults that replace the schema's, by dotted key within the section. */
  readonly defaults: Readonly<Record<string, string | number | boolean>>;
}

const noCritic = {
  "has no critic": [
    "critic",
    "criticKind",
    "criticLearningRate",
    "slowCritic",
    "valueClip",
    "valueCoef",
    "criticWarmup",
  ],
  "gives a whole response one advantage": ["gamma", "lambda", "lambdaFrom", "whitenRewards"],
};
const noValues = [
  ...["value/", "step/explained_variance", "gradient/critic"],
  ...["settings/critic_", "settings/slow_critic_", "settings/value_"],
];
/**
 * Signals of advantages that differ from token to token. The tokens of a response share one advantage, which has unit spread among whole responses:
 * in healthy runs a sixth or more are then below -1, while PPO's means over tokens seldom are.
 */
const noTokenAdvantages = ["advantage/sign_flip", "advantage/strongly_negative", "step/strongly_negative"];

export const algorithmSettings = {
  ppo: { lacks: {}, absent: [], groups: false, defaults: {} },
  rloo: {
    lacks: {
      ...noCritic,
      "learns from a rollout once": ["epochs"],
      "does not clip its loss": [
        "clipLow",
        "clipHigh",
        "dualClip",
        "clipSchedule",
        "clipWide",
        "policyLoss",
        "penalty",
      ],
      "takes advantages as they are": ["whitenAdvantages"],
    },
    absent: [...noValues, ...noTokenAdvantages, "clip/", "settings/clip_", "settings/epochs"],
    groups: true,
    // Ahmadian et al. 2024: k of 2 and 4; the log-probability of a response is the sum over its tokens; no entropy bonus.
    defaults: { responsesPerPrompt: 4, aggregation: "sequence-sum", entropyCoef: 0 },
  },
  grpo: {
    lacks: { ...noCritic, "has the clipped loss": ["policyLoss", "penalty"] },
    absent: [...noValues, ...noTokenAdvantages],
    groups: true,
    // Shao et al. 2024, section 4.2: KL coefficient 0.04, one update per rollout, means over the tokens of a response; groups of 8 are TRL's default,
    // the paper uses 64; no entropy bonus.
    defaults: {
      responsesPerPrompt: 8,
      epochs: 1,
      aggregation: "sequence-mean",
      "kl.in": "loss",
      "kl.estimator": "k3",
      "kl.coef": 0.04,
      entropyCoef: 0,
    },
  },
} satisfies Readonly<Record<string, AlgorithmSettings>>;

export type AlgorithmName = keyof typeof algorithmSettings;

export const algorithmNames = Object.keys(algorithmSettings) as [AlgorithmName, ...AlgorithmName[]];

/** The settings that an algorithm does not use, each with the reason. */
export function lackedSettings(algorithm: AlgorithmName): { readonly key: string; readonly why: string }[] {
  const { lacks }: AlgorithmSettings = algorithmSettings[algorithm];
  return Object.entries(lacks).flatMap(([why, keys]) => keys.map((key) => ({ key, why })));
}

/** Whether an algorithm learns values. */
export function hasCritic(algorithm: AlgorithmName): boolean {
  return hasSignal(algorithm, "value/loss");
}

/** Whether an algorithm can have a metric with this key. */
export function hasSignal(algorithm: AlgorithmName, key: string): boolean {
  const { absent }: AlgorithmSettings = algorithmSettings[algorithm];
  return !absent.some((start) => key.startsWith(start));
}

/** The metrics that an algorithm has. */
export function signalsOf<Values extends Readonly<Record<string, number>>>(
  algorithm: AlgorithmName,
  values: Values,
): Record<string, number> {
  return Object.fromEntries(Object.entries(values).filter(([key]) => hasSignal(algorithm, key)));
}
