/**
 * What servers of Tinker's protocol can do and how they add up losses. The protocol does not tell, so a configuration names one of these kinds.
 * `skyrl-jax` was measured on SkyRL 0.4; `skyrl-train` (its FSDP and Megatron backends) and `hosted` are written to their documents (docs/engines.md).
 */
import type { TinkerBackendName } from "../../settings/tinker-backend-names.ts";
import { type Capabilities, everyCapability, type FixedOptimizer } from "../capabilities.ts";

export interface TinkerBackend {
  readonly capabilities: Capabilities;
  /**
   * How the server adds up a loss: `sum` over tokens and sequences; `means`: each sequence's mean over the tokens with a weight, then the mean over all
   * sequences since the last step.
   */
  readonly reduction: "sum" | "means";
  /** Whether `weights`, the mask of scored tokens, is sent beside the advantages of a policy loss. */
  readonly sendsWeights: boolean;
  /** Whether a step has a field for the norm to clip to. */
  readonly clips: boolean;
  /** Sequences of a pass are filled up to a multiple of this with empty ones: the server compiles for every new number. */
  readonly passMultiple: number;
  /** Rank of an adapter that is never trained, which stands for the base model. */
  readonly frozenRank: number;
  /**
   * Whether an answer may end without one of the stop tokens that were asked for, or with none at all: at an end that the server's generation_config.json
   * names, or with the token left out. Where it may not, such an answer shows that the server does something else than it was asked for.
   */
  readonly endsByItself: boolean;
  /** Whether results of a policy loss hold each token's loss: where they do not, the server is not of this kind. */
  readonly tokenLosses: boolean;
}

/** What no server of the protocol has. */
const common: Capabilities = {
  ...everyCapability,
  bitExact: false,
  scalarHeads: false,
  entropy: false,
  top1: false,
  merge: false,
  slowAverage: false,
  groupNorms: false,
  partNorms: false,
  groupRates: false,
  entropyBonus: false,
  fullKl: false,
  temperature: false,
  trainable: ["adapters"],
  adapterSettings: "rank",
  schemes: ["tinker"],
  // Old and new log-probabilities come from the same call, but not always from passes of the same make-up, and of bfloat16 on an accelerator.
  firstRatioTolerance: 0.05,
  // A server samples a whole rollout side by side, and would wait between parts.
  tokensAtOnce: 2 ** 24,
};

/** PyTorch's AdamW with what SkyRL sets, unless its --backend-config says otherwise: only the rate comes from the request. */
const skyrlOptimizer: FixedOptimizer = {
  ...{ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, maxGradNorm: 1 },
};

export const backends: Readonly<Record<TinkerBackendName, TinkerBackend>> = {
  hosted: {
    capabilities: { ...common, gradientNorm: false },
    reduction: "sum",
    sendsWeights: false,
    clips: true,
    passMultiple: 1,
    frozenRank: 8,
    endsByItself: true,
    tokenLosses: false,
  },
  "skyrl-jax": {
    // One optimizer's weight decay reaches the adapters of all models of the server.
    capabilities: {
      ...common,
      ...{ clipping: "none", optimizer: { weightDecay: 0 }, firstRatioTolerance: 1e-3 },
    },
    reduction: "means",
    sendsWeights: true,
    clips: false,
    passMultiple: 8,
    frozenRank: 1,
    endsByItself: false,
    tokenLosses: true,
  },
  "skyrl-train": {
    capabilities: { ...common, ...{ frozenModels: false, clone: false, optimizer: skyrlOptimizer } },
    reduction: "sum",
    sendsWeights: true,
    clips: false,
    passMultiple: 1,
    frozenRank: 8,
    endsByItself: true,
    tokenLosses: false,
  },
};
