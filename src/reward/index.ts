/** The reward: learned, by rule, by verifier, by a user's function; composed, normalised, and checked for safety. */
export { componentName, createReward, learnedComponents, type RewardOptions, type RewardPipeline } from "./compose.ts";
export { hashFunction } from "./function-hash.ts";
export { type Baseline, type LearnedModel, rawScores } from "./learned.ts";
export {
  computeNormalisation,
  type Normalisation,
  normalise,
  readNormalisation,
  writeNormalisation,
} from "./normalisation.ts";
export type { Scored, Scores } from "./reward-types.ts";
export { checkReferences } from "./rule-rewards.ts";
export type { SafetyOptions } from "./safety.ts";
