/** What the doctor is handed: the settings and statistics it judges, as plain data. */

/** What the reward judges: a short turn, fine steps within a reply, or a late result alone. */
export type RewardGrain = "turn" | "steps" | "late";

export interface PpoFacts {
  readonly iterations: number;
  /** Sampled an iteration. */
  readonly sequences: number;
  readonly minibatches: number;
  readonly epochs: number;
  readonly responsesPerPrompt: number;
  readonly maxNewTokens: number;
  readonly temperature: number;
  readonly learningRate: number;
  /** null where the trunk is shared. */
  readonly criticLearningRate: number | null;
  readonly clipLow: number;
  readonly clipHigh: number;
  readonly gamma: number;
  readonly lambda: number;
  readonly klCoef: number;
  /** Whether a bounded controller moves the KL coefficient (PPO.md row 9). */
  readonly klBounded: boolean;
  /** The controllers that move a KL coefficient, with the least and the greatest factor of one iteration (`reachOf`). */
  readonly klControllers: readonly {
    readonly section: "kl" | "penalty";
    readonly least: number;
    readonly greatest: number;
  }[];
  readonly maxGradNorm: number | null;
}

/** Measured on samples of the policy that PPO starts from, at the rollout's temperature. */
export interface PolicySpread {
  readonly samples: number;
  /** Nats a token. */
  readonly entropyMean: number;
  readonly vocabularySize: number;
  /** Share of responses that end with EOS. */
  readonly eosShare: number;
  /** Share of pairs of responses to the same prompt that are equal token by token; null where it was not measured. */
  readonly agreement: number | null;
  /** Mean response, tokens. */
  readonly lengthMean: number;
}

/** Where a response ends. */
export interface StopFacts {
  /** Each with its id: `<|im_end|> (2)`. */
  readonly tokens: readonly string[];
  readonly strings: readonly string[];
  /** The token that the chat template ends a turn with, which fine-tuning teaches; null if it writes none. */
  readonly turnEnd: string | null;
}

export interface ModelFacts {
  /** null where it is not known. */
  readonly parameters: number | null;
  /** `stage`: this configuration's SFT stage makes it. */
  readonly start: "folder" | "stage" | "random";
  /** null where it was not measured. */
  readonly spread: PolicySpread | null;
  /** null if there is no tokenizer to ask yet. */
  readonly stops: StopFacts | null;
}

export interface PromptFacts {
  readonly text: string;
  /** As the row says; null where it says nothing. */
  readonly kind: string | null;
}

export interface ExperimentFacts {
  readonly stage: 1 | 2 | 3 | 4;
  /** null without a previous experiment. */
  readonly previous: { readonly name: string; readonly changedKeys: readonly string[] } | null;
}

export interface DoctorFacts {
  readonly objective: string;
  readonly ppo: PpoFacts;
  /** Components with a weight other than 0. */
  readonly rewards: readonly string[];
  /** null: judged by the longest response. */
  readonly grain: RewardGrain | null;
  readonly model: ModelFacts;
  /** Peak rate of the fine-tuning that made the policy; null where it is not known. */
  readonly sftLearningRate: number | null;
  /** null where they could not be read. */
  readonly prompts: readonly PromptFacts[] | null;
  /** `training`: the evaluation measures on the training's prompts. null where they could not be read. */
  readonly evaluationPrompts: readonly PromptFacts[] | "training" | null;
  /** Mean prompt in tokens; null where it is not known. */
  readonly promptTokens: number | null;
  /** Tokens that one step may hold, where the user has said. */
  readonly tokenBudget: number | null;
  readonly experiment: ExperimentFacts | null;
  /** Why findings are meant to be as they are, by id. */
  readonly explain: Readonly<Record<string, string>>;
}

/** Advice on batch size counts these. */
export function sequencesPerStep({ sequences, minibatches }: Pick<PpoFacts, "sequences" | "minibatches">): number {
  return sequences / minibatches;
}
