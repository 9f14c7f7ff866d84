/** The reward: learned, by rule, by verifier, by a user's function; composed, normalised, and checked for safety. */
export { createReward, learnedComponents, type RewardPipeline } from "./compose.ts";
export type { LearnedModel } from "./learned.ts";
export {
  computeNormalisation,
  type Normalisation,
  normalise,
  readNormalisation,
  writeNormalisation,
} from "./normalisation.ts";
export type { Scored, Scores } from "./reward-types.ts";
export { checkReferences } from "./rule-rewards.ts";
