/** The doctor's input: the settings and statistics that it judges, as plain data. */

/** What the reward judges: a short turn, fine steps within a reply, or only a late result. */
export type RewardGrain = "turn" | "steps" | "late";

export interface PpoFacts {
  readonly iterations: number;
  /** Sequences sampled per iteration. */
  readonly sequences: number;
  readonly minibatches: number;
  readonly epochs: number;
  readonly responsesPerPrompt: number;
  readonly maxNewTokens: number;
  readonly temperature: number;
  readonly learningRate: number;
  /** The critic's learning rate; null without a critic, and if the trunk is shared. */
  readonly criticLearningRate: number | null;
  readonly clipLow: number;
  readonly clipHigh: number;
  readonly gamma: number;
  /** null without a critic. */
  readonly lambda: number | null;
  readonly klCoef: number;
  /** Whether a bounded controller moves the KL coefficient (docs/PPO.md row 9). */
  readonly klBounded: boolean;
  /** The controllers that move a KL coefficient, with the smallest and the largest factor of one iteration (`reachOf`). */
  readonly klControllers: readonly {
    readonly section: "kl" | "penalty";
    readonly least: number;
    readonly greatest: number;
  }[];
  readonly maxGradNorm: number | null;
  /** Whether responses to one prompt are compared with each other. */
  readonly groups: boolean;
  readonly topK: number;
  readonly topP: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Share of the iterations. */
  readonly warmup: number;
  readonly entropyCoef: number;
  readonly whitenAdvantages: boolean;
  readonly dualClip: number | null;
  readonly stopEpochsAtKl: number | null;
  /** The weight of KL(old, new) in the loss; null without it. */
  readonly penaltyBeta: number | null;
  /** null without a critic, or if it is off. */
  readonly valueClip: number | null;
  /** null if the critic has a trunk of its own. */
  readonly valueCoef: number | null;
  /** null without a slow critic. */
  readonly slowCriticDecay: number | null;
  readonly scoreClip: number | null;
  readonly missingEosPenalty: number;
}

/** Statistics of samples of the starting policy, at the rollout's temperature. */
export interface PolicySpread {
  readonly samples: number;
  /** Mean entropy in nats per token. */
  readonly entropyMean: number;
  readonly vocabularySize: number;
  /** Share of responses that end with EOS. */
  readonly eosShare: number;
  /** Share of pairs of responses to the same prompt that are equal token by token; null if not measured. */
  readonly agreement: number | null;
  /** Mean length of a response in tokens. */
  readonly lengthMean: number;
}

/** Where a response ends. */
export interface StopFacts {
  /** Stop tokens, each with its id: `<|im_end|> (2)`. */
  readonly tokens: readonly string[];
  readonly strings: readonly string[];
  /** The token that the chat template ends a turn with and fine-tuning teaches; null if it writes none, or if there is no template. */
  readonly turnEnd: string | null;
}

export interface ModelFacts {
  /** Number of parameters; null if unknown. */
  readonly parameters: number | null;
  /** Whether adapters are trained in place of all weights. */
  readonly lora?: boolean;
  /** Where the starting policy comes from. `stage`: this configuration's SFT stage makes it. */
  readonly start: "folder" | "stage" | "random";
  /** The policy's spread; null if not measured. */
  readonly spread: PolicySpread | null;
  /** Where responses stop; null if there is no tokenizer yet. */
  readonly stops: StopFacts | null;
}

/** A reward's scores of samples of the starting policy. */
export interface RewardFacts {
  readonly samples: number;
  readonly mean: number;
  /** Standard deviation; 0 exactly if all scores are equal. */
  readonly spread: number;
  /** Samples that have the most frequent score. */
  readonly mostFrequent: number;
  /** Samples with the higher score, if there are two scores; null otherwise. */
  readonly successes: number | null;
  /** Users' functions, by their raw scores, and whether these are normalised. */
  readonly functions: readonly {
    readonly name: string;
    readonly mean: number;
    readonly spread: number;
    readonly normalised: boolean;
  }[];
  /** Share beyond `scoreClip`. */
  readonly clippedShare: number;
  /** Distance of the clipped scores' mean from 0, in value clips; null without a critic or a value clip. */
  readonly offsetToClip: number | null;
  /** Share of the samples that ran into `maxNewTokens`. */
  readonly truncatedShare: number;
  /** Samples whose score changed when they were scored again; `rising`: nearly all of them, in one direction. */
  readonly repeated: number;
  readonly rising: boolean;
  /** Samples whose score changed in reverse order. */
  readonly reordered: number;
  /** Held-out pairs, and the share of them whose chosen answer scores higher; null if the reward has no learned part, or there are no such pairs. */
  readonly pairs: { readonly count: number; readonly accuracy: number } | null;
}

export interface PromptFacts {
  readonly text: string;
  /** The row's kind; null if it has none. */
  readonly kind: string | null;
}

export interface ExperimentFacts {
  readonly stage: 1 | 2 | 3 | 4;
  /** The previous experiment; null if there is none. */
  readonly previous: { readonly name: string; readonly changedKeys: readonly string[] } | null;
}

export interface DoctorFacts {
  readonly objective: string;
  readonly ppo: PpoFacts;
  /** Reward components with a nonzero weight. */
  readonly rewards: readonly string[];
  /** The reward's scores of the policy's samples; null if not measured. */
  readonly reward: RewardFacts | null;
  /** Learned rewards whose folders record how well they rank held-out pairs (`reward_model/heldout_accuracy`). */
  readonly rewardModels: readonly { readonly name: string; readonly accuracy: number }[];
  /** The reward's grain; null: judged by the longest response. */
  readonly grain: RewardGrain | null;
  /** Whether the critic has a different engine and trunk than the policy, and the policy trusts it from the first iteration. */
  readonly coldCritic: boolean;
  readonly model: ModelFacts;
  /** Peak rate of the fine-tuning that made the policy; null if unknown. */
  readonly sftLearningRate: number | null;
  /** The training prompts; null if they could not be read. */
  readonly prompts: readonly PromptFacts[] | null;
  /** The evaluation prompts. `training`: the evaluation uses the training prompts. null if they could not be read. */
  readonly evaluationPrompts: readonly PromptFacts[] | "training" | null;
  /** Mean prompt length in tokens; null if unknown. */
  readonly promptTokens: number | null;
  /** Tokens that one step may hold, if the user gave a limit. */
  readonly tokenBudget: number | null;
  readonly experiment: ExperimentFacts | null;
  /** Why findings are intended, by id. */
  readonly explain: Readonly<Record<string, string>>;
}

/** Sequences per optimizer step, which advice on batch size refers to. */
export function sequencesPerStep({ sequences, minibatches }: Pick<PpoFacts, "sequences" | "minibatches">): number {
  return sequences / minibatches;
}
